import { z } from 'zod';
import { isDuration, parseDuration } from './duration.ts';

const durationText = 'a duration such as "24h", "1h30m" or "500ms", at most 365d';
const duration = z.string().refine(isDuration).transform(parseDuration);

/** "auto" or a number of slots; numbers may come as text, as they do from the environment. */
const concurrency = z
  .union([
    z.literal('auto'),
    z.int().min(1).max(999),
    z
      .string()
      .regex(/^[1-9]\d{0,2}$/)
      .transform(Number),
  ])
  .prefault('auto');

export const cleanupSchema = z
  .strictObject({
    mode: z
      .enum(['batched', 'inline'])
      .default('batched')
      .describe('Settle disconnects in batches, or each at once.'),
    queueCapacity: z
      .int()
      .min(1)
      .default(10_000)
      .describe('Disconnects that may wait; beyond, they are settled inline.'),
    batchSize: z.int().min(1).max(10_000).default(64).describe('Disconnects settled together.'),
    batchWindowMs: z.int().min(1).max(60_000).default(50).describe('Longest wait for a batch to fill.'),
    concurrency: concurrency.meta({
      description:
        'Batches at a time; `"auto"`: a quarter of the processors, 1 to 4; with Redis 64, which wait for it together.',
      expects: '"auto" or an integer from 1 to 999',
    }),
    announceWindowMs: z
      .int()
      .min(1)
      .max(60_000)
      .default(50)
      .describe('At most one announcement of leaves per channel in this time.'),
  })
  .prefault({})
  .describe('What happens after a disconnect.');

export const webhooksSchema = z
  .strictObject({
    graceMs: z
      .int()
      .min(0)
      .max(3_600_000)
      .default(3000)
      .describe('How long a leave waits for a return before it is told; 0 means off.'),
    batchSize: z.int().min(1).max(1000).default(20).describe('Events in one request.'),
    batchWindowMs: z.int().min(1).max(60_000).default(250).describe('Longest wait for a request to fill.'),
    timeoutMs: z.int().min(100).max(60_000).default(4000).describe('Time an endpoint has to answer.'),
    concurrency: z.int().min(1).max(1000).default(20).describe('Requests at a time to one endpoint.'),
    retainHours: z.int().min(1).max(8760).default(72).describe('How long events are kept.'),
    maxBacklogBytes: z
      .int()
      .min(1)
      .default(268_435_456)
      .describe('Undelivered events that are kept; beyond, they are folded.'),
    spoolFile: z
      .string()
      .min(1)
      .optional()
      .describe('Without Redis: where undelivered events are kept over a graceful restart.'),
    allowPrivateNetworks: z.boolean().default(true).describe('Endpoints may have private addresses.'),
  })
  .prefault({})
  .describe('Delivery of webhooks, for every endpoint.');

export const drainSchema = z
  .strictObject({
    waveMs: z.int().min(1).max(60_000).default(200).describe('Pause between two waves of closing.'),
    perWave: z.int().min(1).default(500).describe('Connections closed in one wave.'),
    deadlineMs: z
      .int()
      .min(100)
      .max(3_600_000)
      .default(25_000)
      .describe('After this the process ends whatever is left.'),
  })
  .prefault({})
  .describe('How a stop is spread over time.');

export const deliverySchema = z
  .strictObject({
    maxBufferedBytes: z
      .int()
      .min(1024)
      .default(1_048_576)
      .describe(
        'What may wait for a slow connection before a further frame; one frame alone never trips it.',
      ),
    slowConsumer: z.enum(['disconnect']).default('disconnect').describe('What happens beyond it.'),
  })
  .prefault({})
  .describe('What is sent to clients.');

export const sessionsSchema = z
  .strictObject({
    ttl: duration
      .prefault('24h')
      .meta({ description: 'Longest life of a session; `0s` means off.', expects: durationText }),
    idle: duration
      .prefault('1h')
      .meta({ description: 'A session unused for this long ends; `0s` means off.', expects: durationText }),
    sweep: duration
      .pipe(z.number().min(100))
      .prefault('60s')
      .meta({
        description: 'How often ended sessions are removed.',
        expects: `${durationText}, and at least 100ms`,
      }),
    max: z.int().min(0).default(1_000_000).describe('Sessions at a time; 0 means no limit.'),
    requestsPerSecond: z
      .int()
      .min(0)
      .default(100)
      .describe('Requests per second of one session; 0 means no limit.'),
  })
  .prefault({})
  .describe('Sessions. Durations are read as text and held in milliseconds.');

export const cacheSchema = z
  .strictObject({
    ttlSeconds: z
      .int()
      .min(1)
      .max(31_536_000)
      .default(1800)
      .describe('How long a cache channel keeps its last event.'),
  })
  .prefault({})
  .describe('Cache channels.');

export const logSchema = z
  .strictObject({
    level: z
      .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
      .default('info')
      .describe('Least level that is logged.'),
  })
  .prefault({})
  .describe('The log stream.');
