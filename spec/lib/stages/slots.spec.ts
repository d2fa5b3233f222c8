import { describe, expect, test } from '@jest/globals';
import { nameOf, SpecNode } from '../channels/node.ts';
import { formsOfSlot, keyOfSlot } from '../../../lib/stages/slots.ts';

const node = new SpecNode();
const { connection, transport } = node.connect();
const request = { appKey: 'key', protocol: '7', client: '', origin: undefined, isSecure: false };

describe('the key of a slot', () => {
  test('is the wire while there is no connection yet', () => {
    expect(keyOfSlot['connect:admitted']({ transport, request, app: node.app })).toBe(transport);
  });

  test('is the connection once there is one', () => {
    const cause = 'client' as const;
    const settled = { connection, cause, closeCode: 1000, subscriptions: 0, durationMs: 0 };
    expect([
      keyOfSlot['connect:established']({ transport, request, connection }),
      keyOfSlot['message:authorized']({ kind: 'ping', connection }),
      keyOfSlot['disconnect:settled'](settled),
    ]).toEqual([connection, connection, connection]);
  });

  test('is app and channel for what is published', () => {
    const event = { app: node.app, channel: nameOf('room'), event: 'e', data: '', exceptSocketId: undefined };
    expect(keyOfSlot['publish:accepted'](event)).toBe('app-1 room');
  });

  test('is app and endpoint for a batch of webhooks', () => {
    expect(keyOfSlot['webhook:ready']({ appId: 'app-1', endpointId: 'a', events: [] })).toBe('app-1 a');
  });
});

test('every slot has forms and a key', () => {
  expect(Object.keys(formsOfSlot).sort()).toEqual(Object.keys(keyOfSlot).sort());
});
