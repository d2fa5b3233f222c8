import { describe, expect, test } from '@jest/globals';
import { Watchlists } from '../../../lib/channels/watchlists.ts';
import { watchlistEvents } from '../../../lib/protocol/server-messages.ts';
import { SpecNode } from './node.ts';

const state = (userId: string, online: boolean, version: number) => ({ userId, online, version });
const change = (userId: string, online: boolean, version: number) => ({
  kind: 'user' as const,
  appId: 'app-1',
  ...state(userId, online, version),
});
const online = (...userIds: string[]) => watchlistEvents([{ name: 'online', userIds }]);
const offline = (...userIds: string[]) => watchlistEvents([{ name: 'offline', userIds }]);

function watching(...userIds: string[]) {
  const node = new SpecNode();
  const watchlists = new Watchlists(node.fanout);
  const { connection, transport } = node.connect();
  watchlists.watch(connection, userIds);
  return { node, watchlists, connection, transport };
}

describe('a watcher', () => {
  test('is first shown the state of its whole list in one frame', () => {
    const { watchlists, connection, transport } = watching('ada', 'bob', 'cleo');
    watchlists.show(connection, [state('ada', true, 1), state('bob', false, 1), state('cleo', true, 1)]);
    expect(transport.frames).toEqual([
      watchlistEvents([
        { name: 'online', userIds: ['ada', 'cleo'] },
        { name: 'offline', userIds: ['bob'] },
      ]),
    ]);
  });

  test('is not told about nobody', () => {
    const { watchlists, connection, transport } = watching('ada');
    watchlists.show(connection, [state('ada', true, 1)]);
    expect(transport.frames).toEqual([online('ada')]);
  });

  test('is told each change after that', () => {
    const { watchlists, connection, transport } = watching('ada');
    watchlists.show(connection, [state('ada', false, 1)]);
    watchlists.announce(change('ada', true, 2));
    watchlists.announce(change('ada', false, 3));
    expect(transport.frames).toEqual([offline('ada'), online('ada'), offline('ada')]);
  });

  test('is not told again what it was told, at whatever version', () => {
    const { watchlists, connection, transport } = watching('ada', 'bob');
    watchlists.show(connection, [state('ada', true, 1), state('bob', false, 1)]);
    watchlists.announce(change('ada', true, 5));
    watchlists.announce(change('bob', true, 5));
    watchlists.announce(change('ada', false, 4));
    expect(transport.frames.slice(1)).toEqual([online('bob')]);
  });

  test('is known with all it watches, by app', () => {
    const { watchlists } = watching('ada', 'bob');
    expect(watchlists.watched()).toEqual(new Map([['app-1', new Set(['ada', 'bob'])]]));
  });

  test('is told nothing before its list was shown', () => {
    const { watchlists, transport } = watching('ada');
    watchlists.announce(change('ada', true, 2));
    expect(transport.frames).toEqual([]);
  });

  test('is told after the list what changed since', () => {
    const { watchlists, connection, transport } = watching('ada');
    watchlists.announce(change('ada', true, 2));
    watchlists.show(connection, [state('ada', false, 1)]);
    expect(transport.frames).toEqual([offline('ada'), online('ada')]);
  });

  test('is not told what its list shows already', () => {
    const { watchlists, connection, transport } = watching('ada');
    watchlists.announce(change('ada', true, 2));
    watchlists.show(connection, [state('ada', true, 2)]);
    expect(transport.frames).toEqual([online('ada')]);
  });

  test('is told only the last of several changes that were held', () => {
    const { watchlists, connection, transport } = watching('ada');
    for (const version of [2, 3, 4]) watchlists.announce(change('ada', version % 2 === 0, version));
    watchlists.show(connection, [state('ada', false, 1)]);
    expect(transport.frames).toEqual([offline('ada'), online('ada')]);
  });

  test('is not told an old change that comes late', () => {
    const { watchlists, connection, transport } = watching('ada');
    watchlists.show(connection, [state('ada', true, 5)]);
    watchlists.announce(change('ada', false, 4));
    expect(transport.frames).toEqual([online('ada')]);
  });

  test('is told nothing of users it does not watch', () => {
    const { watchlists, connection, transport } = watching('ada');
    watchlists.show(connection, [state('ada', true, 1)]);
    watchlists.announce(change('bob', true, 2));
    expect(transport.frames).toEqual([online('ada')]);
  });

  test('is told nothing of a user of another app', () => {
    const { watchlists, connection, transport } = watching('ada');
    watchlists.show(connection, [state('ada', false, 1)]);
    watchlists.announce({ ...change('ada', true, 2), appId: 'app-2' });
    expect(transport.frames).toEqual([offline('ada')]);
  });

  test('that watches no more is told nothing', () => {
    const { watchlists, connection, transport } = watching('ada');
    watchlists.unwatch(connection);
    watchlists.announce(change('ada', true, 2));
    watchlists.show(connection, [state('ada', true, 2)]);
    expect([transport.frames, watchlists.size]).toEqual([[], 0]);
  });

  test('that ends while a change is told does not keep it from the others', () => {
    const { node, watchlists, connection, transport } = watching('ada');
    const other = node.connect();
    watchlists.watch(other.connection, ['ada']);
    for (const one of [connection, other.connection]) watchlists.show(one, [state('ada', false, 1)]);
    transport.onWrite = () => watchlists.unwatch(connection);
    watchlists.announce(change('ada', true, 2));
    expect(other.transport.frames).toEqual([offline('ada'), online('ada')]);
  });
});
