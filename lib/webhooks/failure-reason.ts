import { types } from 'node:util';
import { PrivateAddressError } from './private-networks.ts';

/** What people can do about a request that had no answer, by the code of its error. */
const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused: nothing listens at this address and port',
  ECONNRESET: 'the connection was reset before an answer came',
  EPIPE: 'the connection was closed before an answer came',
  UND_ERR_SOCKET: 'the connection was closed before an answer came',
  ENOTFOUND: 'its name is not known to DNS: check the host of the URL',
  EAI_AGAIN: 'DNS did not answer: check the name servers of this machine',
  EHOSTUNREACH: 'no route to its address',
  ENETUNREACH: 'no route to its address',
  ETIMEDOUT: 'its address does not answer: check the host of the URL and firewalls on the way',
  UND_ERR_CONNECT_TIMEOUT: 'its address does not answer: check the host of the URL and firewalls on the way',
  EMFILE: 'this process has no file descriptors left: raise its limit (ulimit -n)',
  EPROTO: 'no TLS at this port: check https and the port of the URL',
  ERR_SSL_WRONG_VERSION_NUMBER: 'no TLS at this port: check https and the port of the URL',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'no TLS at this port: check https and the port of the URL',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name than the host of the URL',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed: trust it with NODE_EXTRA_CA_CERTS',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is of an unknown authority: trust it with NODE_EXTRA_CA_CERTS',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'its certificate is of an unknown authority, or the intermediate one is missing: send the whole chain',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    'its certificate is of an unknown authority: trust it with NODE_EXTRA_CA_CERTS',
  UND_ERR_HEADERS_OVERFLOW: 'the headers of its answer are too large',
  UND_ERR_DESTROYED: 'the server is stopping',
};

/** The longest text that is taken over from an error. */
const maxLength = 200;

/** Why a request had no answer, for people. */
export function failureReason(error: unknown): string {
  if (error instanceof PrivateAddressError) return error.message;
  if (!types.isNativeError(error)) return String(error).slice(0, maxLength);
  const code = codeOf(error);
  if (error.name === 'HTTPParserError') return 'its answer is not HTTP: check the port of the URL';
  const reason = Object.hasOwn(reasons, code) ? reasons[code] : undefined;
  if (reason !== undefined) return `${reason} (${code})`;
  const text = error.message === '' ? error.name : error.message;
  return (code === '' ? text : `${text} (${code})`).slice(0, maxLength);
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : '';
}
