import { Socket } from 'node:net';
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { checkDirectWrites } from '../../../lib/edge/check-direct-writes.ts';
import { DirectWrites, type Wire } from '../../../lib/edge/direct-writes.ts';

describe('the trial of direct writes', () => {
  afterEach(() => {
    jest.restoreAllMocks();
  });

  type TryWrite = DirectWrites['tryWrite'];

  function tryWriteAs(replaced: (ordinary: TryWrite) => TryWrite): void {
    const tryWrite = Object.getOwnPropertyDescriptor(DirectWrites.prototype, 'tryWrite')?.value as TryWrite;
    jest.spyOn(DirectWrites.prototype, 'tryWrite').mockImplementation(function (
      this: DirectWrites,
      ...written
    ) {
      return replaced(tryWrite.bind(this))(...written);
    });
  }

  test('is passed by the Node.js that runs it', async () => {
    expect((await checkDirectWrites()).reason).toBeUndefined();
  });

  test('fails when bytes do not arrive as they were', async () => {
    tryWriteAs((ordinary) => (wire, bytes) => ordinary(wire, Buffer.from(bytes).fill(255, 7, 8)));
    expect((await checkDirectWrites()).reason).toBe('what was written did not arrive as it was');
  });

  test('fails, and ends nothing else, when its connection fails', async () => {
    tryWriteAs((ordinary) => (wire, bytes) => {
      const isTaken = ordinary(wire, bytes);
      if (wire.directBytes > 0) wire.raw?.destroy(new Error('the wire broke'));
      return isTaken;
    });
    expect((await checkDirectWrites()).reason).toBe('the wire broke');
  });

  test('fails when nothing ever has to wait', async () => {
    tryWriteAs(() => () => true);
    expect((await checkDirectWrites()).reason).toBe('nothing had to wait for the kernel');
  });

  test('fails when a write goes past one that waits', async () => {
    tryWriteAs((ordinary) => (wire, bytes) => wire.directBytes > 0 || ordinary(wire, bytes));
    expect((await checkDirectWrites()).reason).toBe('a direct write went past one that waits');
  });

  test('fails when the end of a write that had to wait is not told', async () => {
    tryWriteAs((ordinary) => (wire, bytes) => {
      const isTaken = ordinary(wire, bytes);
      const { directBytes } = wire;
      if (directBytes > 0)
        Object.defineProperty(wire, 'directBytes', { get: () => directBytes, set: () => undefined });
      return isTaken;
    });
    expect((await checkDirectWrites()).reason).toBe('the end of a write that had to wait was not told');
  });

  test('fails when a socket that owes nothing is not written to', async () => {
    tryWriteAs(() => () => false);
    expect((await checkDirectWrites()).reason).toBe('a socket that owes nothing was not written to');
  });

  test('fails when the end of a socket is not told', async () => {
    let wire: Wire | undefined;
    tryWriteAs((ordinary) => (written, bytes) => {
      wire = written;
      return ordinary(written, bytes);
    });
    jest.spyOn(Socket.prototype, 'resetAndDestroy').mockImplementation(function (this: Socket) {
      // Past what tells it.
      if (wire?.raw) Socket.prototype.destroy.call(wire.raw);
      return this;
    });
    expect((await checkDirectWrites()).reason).toBe(
      'the end of a socket was not told once, before its close',
    );
  });
});
