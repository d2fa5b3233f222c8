import { pino } from 'pino';

/** Where log lines go. A line ends in a newline. */
export interface LogDestination {
  write(line: string): void;
  /** Writes what is waiting, then closes; gives up when nobody reads. */
  close(): Promise<void>;
  /** Lines dropped so far because too much was waiting. */
  readonly dropped: number;
}

export interface LogFileOptions {
  /** A file descriptor; stdout when absent. */
  readonly fd?: number;
  /** What may wait in memory for a slow reader; further lines are dropped and counted. */
  readonly maxBufferedBytes?: number;
  /** How long `close` waits for a reader. */
  readonly closeTimeoutMs?: number;
  /** Called once the reader has caught up after lines were dropped. */
  readonly onCaughtUp?: (dropped: number) => void;
}

const eightMebibytes = 8 * 1024 * 1024;
/** A line waits for others to be written with it, until they are this many bytes or it has waited this long. */
const writtenTogetherBytes = 8 * 1024;
const longestWaitMs = 10;

/** Lines as bytes: as text, SonicBoom counts the bytes of everything that waits with each line that joins it. */
type ByteStream = Omit<ReturnType<typeof pino.destination>, 'write'> & { write(line: Buffer): boolean };

/**
 * Opens a file descriptor for asynchronous, bounded writing, many lines in one write: a storm of connections would
 * otherwise spend more on writing its lines than on anything else of ours. What waits is written when the process exits,
 * also by an error; only a kill loses it. A closed pipe ends the log, never the process.
 *
 * `process.stdout` is touched on purpose: Node then makes a piped stdout non-blocking. Otherwise one stuck reader holds
 * a thread of the pool in `write` for ever, and the process cannot exit.
 */
export function openLogFile(options: LogFileOptions = {}): LogDestination {
  return new LogFile(options.fd ?? process.stdout.fd, options);
}

class LogFile implements LogDestination {
  dropped = 0;
  readonly #stream: ByteStream;
  readonly #closeTimeoutMs: number;
  readonly #flush = (): void => this.#flushNow();
  /** What the stream has taken and not yet written. */
  #unwrittenBytes = 0;
  #flushTimer: NodeJS.Timeout | undefined;
  #told = 0;
  #state: 'open' | 'closing' | 'closed' = 'open';

  constructor(
    fd: number,
    { maxBufferedBytes = eightMebibytes, closeTimeoutMs = 2000, onCaughtUp }: LogFileOptions,
  ) {
    this.#closeTimeoutMs = closeTimeoutMs;
    this.#stream = pino.destination({
      dest: fd,
      sync: false,
      contentMode: 'buffer',
      minLength: writtenTogetherBytes,
      maxLength: maxBufferedBytes,
      retryEAGAIN: () => this.#state !== 'closed',
    }) as unknown as ByteStream;
    this.#stream.on('drop', (line: Buffer) => {
      this.dropped += 1;
      this.#unwrittenBytes -= line.length;
    });
    this.#stream.on('write', (bytes: number) => {
      this.#unwrittenBytes -= bytes;
    });
    this.#stream.on('error', () => this.#giveUp());
    this.#stream.on('drain', () => {
      this.#tellDrops(onCaughtUp);
      this.#flushSoon();
    });
  }

  write(line: string): void {
    if (this.#state !== 'open') {
      this.dropped += 1;
      return;
    }
    const bytes = Buffer.from(line);
    this.#unwrittenBytes += bytes.length;
    this.#stream.write(bytes);
    this.#flushSoon();
  }

  async close(): Promise<void> {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    clearTimeout(this.#flushTimer);
    await this.#ended();
    this.#state = 'closed';
  }

  #flushSoon(): void {
    if (this.#unwrittenBytes === 0 || this.#flushTimer !== undefined || this.#state !== 'open') return;
    this.#flushTimer = setTimeout(this.#flush, longestWaitMs);
  }

  /** While a write is under way this does nothing: what came meanwhile is looked at again behind it. */
  #flushNow(): void {
    this.#flushTimer = undefined;
    if (this.#unwrittenBytes > 0 && this.#state === 'open') this.#stream.flush();
  }

  /** Resolves when everything was written, the reader went away, or the time is over. */
  #ended(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#giveUp(), this.#closeTimeoutMs);
      this.#stream.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
      this.#stream.end();
    });
  }

  /**
   * Writes no more. `close` takes the stream off pino's exit hook, which would try a broken descriptor for ever. The
   * descriptor itself stays open: a write may be under way, and its number must not come to mean another file.
   */
  #giveUp(): void {
    this.#state = 'closed';
    clearTimeout(this.#flushTimer);
    this.#stream.emit('close');
  }

  #tellDrops(onCaughtUp: LogFileOptions['onCaughtUp']): void {
    if (this.dropped === this.#told || this.#state !== 'open') return;
    const lines = this.dropped - this.#told;
    this.#told = this.dropped;
    onCaughtUp?.(lines);
  }
}
