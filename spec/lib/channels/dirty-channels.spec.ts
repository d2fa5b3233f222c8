import { describe, expect, test } from '@jest/globals';
import { DirtyChannels } from '../../../lib/channels/dirty-channels.ts';
import { createApp, SpecNode } from './node.ts';

const node = new SpecNode();
const apps = { a: createApp('a'), b: createApp('b') };

/** Channels by a name like `a1`: the first character is the app. */
function channel(name: string) {
  return node.channel(name, name.startsWith('a') ? apps.a : apps.b);
}

function dirty(...names: string[]): DirtyChannels {
  const channels = new DirtyChannels();
  for (const name of names) channels.add(channel(name));
  return channels;
}

function drain(channels: DirtyChannels): readonly string[] {
  const names: string[] = [];
  for (let next = channels.next(); next !== undefined; next = channels.next()) names.push(next.name.name);
  return names;
}

describe('channels with something pending', () => {
  test('of one app come in the order they were added', () => {
    expect(drain(dirty('a1', 'a2', 'a3'))).toEqual(['a1', 'a2', 'a3']);
  });

  test('of several apps take turns', () => {
    expect(drain(dirty('a1', 'a2', 'a3', 'b1', 'b2'))).toEqual(['a1', 'b1', 'a2', 'b2', 'a3']);
  });

  test('come once', () => {
    const channels = dirty('a1');
    drain(channels);
    expect([channels.next(), channels.isEmpty]).toEqual([undefined, true]);
  });

  test('that are put back come before the others of their app', () => {
    const channels = dirty('a1', 'a2');
    channels.putBack(channels.next()!);
    expect(drain(channels)).toEqual(['a1', 'a2']);
  });

  test('that are put back wait for the turn of their app', () => {
    const channels = dirty('a1', 'a2', 'b1');
    channels.putBack(channels.next()!);
    expect(drain(channels)).toEqual(['b1', 'a1', 'a2']);
  });

  test('that are put back are there again when they were the last', () => {
    const channels = dirty('a1');
    channels.putBack(channels.next()!);
    expect([channels.isEmpty, drain(channels)]).toEqual([false, ['a1']]);
  });
});
