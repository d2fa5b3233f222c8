import type { Connection, Transport } from '../../lib/channels/connection.ts';
import { forEachFrame } from '../../lib/edge/split-frames.ts';

/** A wire that keeps what is written to it: per write the texts of its frames. */
export class RecordingTransport implements Transport {
  readonly remoteAddress = '127.0.0.1';
  connection: Connection | undefined = undefined;
  isOpen = true;
  queuedBytes = 0;
  readonly writes: (readonly string[])[] = [];
  readonly closes: (readonly [code: number, reason: string])[] = [];
  readonly flow: string[] = [];
  /** Called in the middle of each write. */
  onWrite: (texts: readonly string[]) => void = () => undefined;

  /** Every frame so far, in order. */
  get frames(): readonly string[] {
    return this.writes.flat();
  }

  /** The frames since the last call. */
  take(): readonly string[] {
    const { frames } = this;
    this.writes.length = 0;
    return frames;
  }

  write(frames: Buffer): void {
    if (!this.isOpen) return;
    const texts: string[] = [];
    forEachFrame(frames, (payload) => texts.push(payload.toString('utf8')));
    this.writes.push(texts);
    this.onWrite(texts);
  }

  close(code: number, reason: string): void {
    this.closes.push([code, reason]);
    this.isOpen = false;
  }

  pause(): void {
    this.flow.push('pause');
  }

  resume(): void {
    this.flow.push('resume');
  }
}
