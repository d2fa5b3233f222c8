/** The close codes this server may send, by meaning; 43xx is never one of them (protocol.md 1.4). */
export const closeCodes = {
  tlsRequired: 4000,
  unknownApp: 4001,
  appDisabled: 4003,
  overQuota: 4004,
  pathNotFound: 4005,
  badVersion: 4006,
  unsupportedProtocol: 4007,
  noProtocol: 4008,
  unauthorised: 4009,
  overCapacity: 4100,
  reconnect: 4200,
  pongTimeout: 4201,
  idle: 4202,
} as const;

/** What a close frame has left for its reason: 125 bytes less two for the code. */
const maxReasonBytes = 123;
const encoder = new TextEncoder();

/** Cuts a text to the 123 bytes of UTF-8 a close frame can carry, never inside a character (protocol.md 1.4). */
export function closeReason(text: string): string {
  const { read } = encoder.encodeInto(text, new Uint8Array(maxReasonBytes));
  return text.slice(0, read);
}
