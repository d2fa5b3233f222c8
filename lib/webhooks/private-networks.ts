import { type LookupAddress, lookup as systemLookup } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';

/** An endpoint's address is not of the public Internet, and `webhooks.allowPrivateNetworks` is off. */
export class PrivateAddressError extends Error {}

/** IANA's special-purpose registry: what is not globally reachable; multicast; and the metadata service of Azure. */
const networks4 = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['168.63.129.16', 32],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const;

/** The same for IPv6, with unspecified and loopback in the first; 6to4 and Teredo lead to any IPv4 address. */
const networks6 = [
  ['::', 96],
  ['64:ff9b:1::', 48],
  ['100::', 64],
  ['2001::', 32],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['fc00::', 7],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
] as const;

/** NAT64: the last 32 bits are an IPv4 address. (`BlockList` itself sees through IPv4-mapped addresses.) */
const nat64Prefix = '64:ff9b::';

const privateNetworks = new BlockList();
for (const [network, bits] of networks4) {
  privateNetworks.addSubnet(network, bits, 'ipv4');
  privateNetworks.addSubnet(`${nat64Prefix}${network}`, 96 + bits, 'ipv6');
}
for (const [network, bits] of networks6) privateNetworks.addSubnet(network, bits, 'ipv6');

/** Whether it is anything but a public IP address: loopback, private, link-local, shared, multicast, reserved. */
export function isPrivateAddress(address: string): boolean {
  const [plain = ''] = address.split('%');
  const family = isIP(plain);
  return family === 0 || privateNetworks.check(plain, family === 6 ? 'ipv6' : 'ipv4');
}

/** @throws PrivateAddressError When the URL names a private address itself: no name is looked up for it. */
export function refusePrivateHost({ hostname }: URL): void {
  const host = hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0 && isPrivateAddress(host)) throw refusal(host);
}

/**
 * Looks names up for a connection, and fails when any of the addresses is private. The connection is made to what was
 * looked up here, so that a name which changes its address meanwhile gets nowhere.
 */
export function publicLookup(lookup: LookupFunction = systemLookup): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, options, (error, address, family) => {
      const refused = error === null ? addressesIn(address).find(isPrivateAddress) : undefined;
      callback(refused === undefined ? error : refusal(refused, hostname), address, family);
    });
  };
}

function addressesIn(answer: string | readonly LookupAddress[]): readonly string[] {
  return typeof answer === 'string' ? [answer] : answer.map(({ address }) => address);
}

function refusal(address: string, name?: string): PrivateAddressError {
  const what = name === undefined ? address : `${name} resolves to ${address}, which`;
  return new PrivateAddressError(
    `${what} is not a public address, and webhooks.allowPrivateNetworks is false`,
  );
}
