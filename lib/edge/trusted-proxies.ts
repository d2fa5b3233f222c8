import type { IncomingMessage } from 'node:http';
import { BlockList, isIPv6 } from 'node:net';
import { TLSSocket } from 'node:tls';

/** Where a request really comes from. */
export interface Caller {
  readonly address: string;
  readonly isSecure: boolean;
}

/** Reads `X-Forwarded-For` and `X-Forwarded-Proto`, but only from proxies that are trusted. */
export class TrustedProxies {
  readonly #trusted = new BlockList();
  readonly #isNobodyTrusted: boolean;

  constructor(ranges: readonly string[]) {
    this.#isNobodyTrusted = ranges.length === 0;
    for (const range of ranges) {
      const [address = '', bits] = range.split('/');
      const family = isIPv6(address) ? 'ipv6' : 'ipv4';
      if (bits === undefined) this.#trusted.addAddress(address, family);
      else this.#trusted.addSubnet(address, Number(bits), family);
    }
  }

  callerOf(request: IncomingMessage): Caller {
    const address = plain(request.socket.remoteAddress ?? '');
    const isSecure = request.socket instanceof TLSSocket;
    if (!this.#isTrusted(address)) return { address, isSecure };
    const forwardedProto = firstOf(request.headers['x-forwarded-proto']);
    return {
      address: this.#originOf(request, address),
      isSecure: isSecure || forwardedProto === 'https' || forwardedProto === 'wss',
    };
  }

  /** The last address of the chain that is no trusted proxy: what stands before it anybody may have written. */
  #originOf(request: IncomingMessage, direct: string): string {
    const header = request.headers['x-forwarded-for'];
    const chain = (Array.isArray(header) ? header.join(',') : (header ?? ''))
      .split(',')
      .map((part) => plain(part.trim()));
    return chain.filter((part) => part !== '').findLast((part) => !this.#isTrusted(part)) ?? direct;
  }

  #isTrusted(address: string): boolean {
    // A look at the list costs more than everything else here.
    return !this.#isNobodyTrusted && this.#trusted.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
  }
}

/** IPv4 addresses that arrive on an IPv6 listener, as IPv4. */
function plain(address: string): string {
  return address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address;
}

function firstOf(header: string | string[] | undefined): string | undefined {
  return (Array.isArray(header) ? header[0] : header)?.split(',')[0]?.trim().toLowerCase();
}
