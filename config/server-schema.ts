import { isIP } from 'node:net';
import { z } from 'zod';

const host = z.string().regex(/^[^\s/]+$/);
const hostText = 'a host name or IP address';
const filePath = z.string().min(1);

/** "auto" or how many; numbers may come as text, as they do from the environment. */
const workers = z
  .union([
    z.literal('auto'),
    z.int().min(1).max(256),
    z
      .string()
      .regex(/^(?:[1-9]\d?|1\d\d|2[0-4]\d|25[0-6])$/)
      .transform(Number),
  ])
  .prefault(1);

/** `10.0.0.0/8`, `::1/128` or a single address. */
function isAddressOrRange(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128));
}

const tlsSchema = z
  .strictObject({
    certFile: filePath.describe('Certificate chain, PEM.'),
    keyFile: filePath.describe('Private key, PEM.'),
  })
  .optional()
  .describe('Serve TLS; absent: plain.');

/** The public listener: WebSocket connections and the HTTP API. */
export const serverSchema = z
  .strictObject({
    host: host.default('127.0.0.1').meta({
      description: 'Address to listen on; `0.0.0.0` or `::` for every interface.',
      expects: hostText,
    }),
    port: z.int().min(0).max(65_535).default(6001).describe('Port to listen on; 0 takes any free one.'),
    path: z
      .string()
      .regex(/^(?:\/[A-Za-z0-9._~-]+)*$/)
      .default('')
      .meta({
        description: 'Prefix of every path, such as `/ws`.',
        expects: 'an empty string or a path such as /ws, without a slash at the end',
      }),
    maxConnections: z
      .int()
      .min(0)
      .default(0)
      .describe(
        'Connections of this process at a time, of each worker where there are several; 0 means no limit.',
      ),
    maxSubscriptionsPerConnection: z
      .int()
      .min(0)
      .default(1000)
      .describe('Channels that one connection may be subscribed to; 0 means no limit.'),
    maxPayloadBytes: z
      .int()
      .min(1024)
      .max(104_857_600)
      .default(65_536)
      .describe('Largest frame a client may send.'),
    perMessageDeflate: z
      .boolean()
      .default(false)
      .describe('Compress frames. Costs memory and time for each connection.'),
    workers: workers.meta({
      description:
        'Processes that share the port, each a node of its own beside Redis; `"auto"`: one for each processor.',
      expects: '"auto" or an integer from 1 to 256',
    }),
    fastPaths: z
      .boolean()
      .default(true)
      .describe(
        'Short cuts for usual messages, and writes past the streams of Node.js, which are tried at the start. Off, each goes the general way: slower; for comparing and for finding faults.',
      ),
    activityTimeoutSeconds: z
      .int()
      .min(1)
      .max(86_400)
      .default(120)
      .describe('Quiet time after which a connection is pinged; told to clients as `activity_timeout`.'),
    pongTimeoutSeconds: z
      .int()
      .min(1)
      .max(3600)
      .default(30)
      .describe('Time to answer a ping before the connection is closed.'),
    overCapacityCode: z
      .literal([4004, 4100])
      .default(4004)
      .describe(
        'Close code when a connection limit is reached: 4004 tells clients to give up, 4100 to come back later.',
      ),
    trustedProxies: z
      .array(
        z.string().refine(isAddressOrRange).meta({ expects: 'an IP address or a range such as 10.0.0.0/8' }),
      )
      .default([])
      .describe('Addresses and ranges whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.'),
    tls: tlsSchema,
  })
  .prefault({})
  .describe('The public listener: WebSocket connections and the HTTP API.');

export const httpSchema = z
  .strictObject({
    maxEventBytes: z.int().min(1).default(10_240).describe('Largest `data` of one published event.'),
    maxBodyBytes: z.int().min(1024).default(1_048_576).describe('Largest body of a request.'),
  })
  .prefault({})
  .describe('Limits of the HTTP API.');

export const inboundSchema = z
  .strictObject({
    maxWaitingFrames: z
      .int()
      .min(1)
      .default(64)
      .describe('Frames of one connection that may wait; then its socket is paused until they are handled.'),
  })
  .prefault({})
  .describe('What clients send.');

export const adminSchema = z
  .strictObject({
    host: host.default('127.0.0.1').meta({
      description: 'Address of the admin listener.',
      expects: hostText,
    }),
    port: z
      .int()
      .min(0)
      .max(65_535)
      .default(9601)
      .describe('Port of the admin listener; 0 takes any free one.'),
    token: z.string().min(1).optional().meta({
      description: 'Bearer token for it; absent: callers on this machine only, read-only.',
      writeOnly: true,
    }),
  })
  .prefault({})
  .describe('The admin listener: metrics, health, webhooks, sessions, console.');
