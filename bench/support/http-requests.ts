import { type SigningApp, signedPublish } from './client-messages.ts';

/** So many different requests that no cache of the last one answers. */
const requestCount = 64;

/**
 * Requests to publish as the server SDK for Node sends them, on connections that are kept, each after its length in four
 * bytes. They are signed now, so a server that checks takes them for ten minutes.
 */
export function publishRequests(app: SigningApp, channel: string, port: number): Buffer {
  const timestampS = Math.floor(Date.now() / 1000);
  const requests = Array.from({ length: requestCount }, (_, number) => {
    const data = { id: number, text: 'n'.repeat(120) };
    const { path, body } = signedPublish(app, channel, data, timestampS);
    return Buffer.from(
      [
        `POST ${path} HTTP/1.1`,
        'x-pusher-library: pusher-http-node 5.3.4',
        'content-type: application/json',
        'Accept: */*',
        `Content-Length: ${Buffer.byteLength(body)}`,
        'User-Agent: node-fetch/1.0 (+https://github.com/bitinn/node-fetch)',
        'Accept-Encoding: gzip,deflate',
        `Host: 127.0.0.1:${port}`,
        'Connection: keep-alive',
        '',
        body,
      ].join('\r\n'),
    );
  });
  return Buffer.concat(
    requests.flatMap((request) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(request.length);
      return [length, request];
    }),
  );
}
