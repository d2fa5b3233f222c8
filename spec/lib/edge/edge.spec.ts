import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { loadConfig } from '../../../config/load.ts';
import { Edge } from '../../../lib/edge/edge.ts';
import { encodeTextFrame } from '../../../lib/protocol/websocket-frame.ts';
import type { ConnectionAttempted } from '../../../lib/stages/events.ts';
import { Telemetry } from '../../../lib/telemetry/telemetry.ts';
import {
  closeRawSockets,
  openRaw,
  opcodes,
  type RawSocket,
  upgradeRequest,
} from '../../support/raw-socket.ts';

const { config } = loadConfig({ env: {}, overrides: { server: { host: '127.0.0.1', port: 0 } } });
const hello = encodeTextFrame('hello');

describe('the edge', () => {
  let edge: Edge;
  let port: number;
  let onConnect: (attempt: ConnectionAttempted) => void;

  beforeEach(async () => {
    edge = new Edge({
      config,
      node: { draining: false },
      telemetry: new Telemetry(),
      onRequest: (_, response) => response.end(),
    });
    edge.connects$.subscribe((attempt) => onConnect(attempt));
    port = await edge.listen();
  });
  afterEach(() => {
    edge.stopListening();
    edge.destroy();
    closeRawSockets();
  });

  async function upgrade(): Promise<RawSocket> {
    const raw = await openRaw(port);
    raw.write(upgradeRequest('/app/key'));
    return raw;
  }

  test('sends the answer to the upgrade and what is written at once together', async () => {
    onConnect = ({ transport }) => transport.write(hello);
    const raw = await upgrade();
    await once(raw.socket, 'data');
    expect((await raw.head()).status).toBe(101);
    expect(raw.pending).toEqual(hello);
  });

  test('does not keep the answer to the upgrade for what is written later', async () => {
    const attempted = new Promise<ConnectionAttempted>((resolve) => {
      onConnect = resolve;
    });
    const raw = await upgrade();
    expect((await raw.head()).status).toBe(101);
    expect(raw.pending).toHaveLength(0);
    (await attempted).transport.write(hello);
    expect((await raw.nextFrame()).payload.toString()).toBe('hello');
  });

  test('sends who is turned away the upgrade, the reason and the close code, in this order', async () => {
    onConnect = ({ transport }) => {
      transport.write(hello);
      transport.close(4001, 'unknown');
    };
    const raw = await upgrade();
    expect((await raw.head()).status).toBe(101);
    expect((await raw.nextFrame()).payload.toString()).toBe('hello');
    expect(await raw.closeCode()).toBe(4001);
  });

  test('answers what asks for no WebSocket and closes it', async () => {
    onConnect = () => undefined;
    const raw = await openRaw(port);
    raw.write(upgradeRequest('/app/key').replace('Version: 13', 'Version: 7'));
    expect((await raw.head()).status).toBe(400);
    expect(await raw.ended).toBe('end');
  });

  test('tells the code of a client that breaks the protocol, and goes on', async () => {
    onConnect = () => undefined;
    const closed = new Promise<number>((resolve) => edge.closes$.subscribe(({ code }) => resolve(code)));
    const raw = await upgrade();
    await raw.head();
    raw.frame(opcodes.text, 'unmasked', { masked: false });
    expect(await raw.closeCode()).toBe(1002);
    raw.socket.end();
    expect(await closed).toBe(1006);
    expect(edge.open).toBe(0);
  });
});
