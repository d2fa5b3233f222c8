import { describe, expect, test } from '@jest/globals';
import { SpillwayError } from '../../../lib/errors/spillway-error.ts';
import { lifecycleAfter } from '../../../lib/http/lifecycle-after.ts';
import { lifecycleSnapshot } from '../../../lib/http/lifecycle-snapshot.ts';
import { listChannels } from '../../../lib/http/list-channels.ts';
import { listUsers } from '../../../lib/http/list-users.ts';
import { publishBatch, publishEvents } from '../../../lib/http/publish-events.ts';
import { findRoute, publishRoutes } from '../../../lib/http/routes.ts';
import { showChannel } from '../../../lib/http/show-channel.ts';
import { terminateConnections } from '../../../lib/http/terminate-connections.ts';

function codeOf(method: string, path: string): string {
  try {
    findRoute(method, path);
  } catch (error) {
    if (error instanceof SpillwayError) return error.code;
    throw error;
  }
  return 'none';
}

describe('a request', () => {
  test.each([
    ['POST', '/apps/1/events', publishEvents, []],
    ['POST', '/apps/1/batch_events', publishBatch, []],
    ['GET', '/apps/1/channels', listChannels, []],
    ['GET', '/apps/1/channels/room', showChannel, ['room']],
    ['GET', '/apps/1/channels/presence-x/users', listUsers, ['presence-x']],
    ['GET', '/apps/1/lifecycle', lifecycleAfter, []],
    ['GET', '/apps/1/lifecycle/snapshot', lifecycleSnapshot, []],
    ['POST', '/apps/1/users/ada/terminate_connections', terminateConnections, ['ada']],
  ])('%s %s has its endpoint', (method, path, endpoint, names) => {
    expect(findRoute(method, path)).toEqual({ appId: '1', endpoint, names });
  });

  test.each([
    ['/apps/1/channels/a%2Fb', 'a/b'],
    ['/apps/1/channels/a%20b', 'a b'],
    ['/apps/1/channels/a%2520b', 'a%20b'],
    ['/apps/1/channels/..', '..'],
    ['/apps/1/channels/*', '*'],
  ])('of %s names %j: decoded once, never normalised', (path, name) => {
    expect(findRoute('GET', path).names).toEqual([name]);
  });

  test('has the id of its app decoded', () => {
    expect(findRoute('GET', '/apps/my%20app/channels').appId).toBe('my app');
  });

  test.each([
    '/',
    '',
    '/apps',
    '/apps/1',
    '/apps/1/',
    '/apps//events',
    '/app/1/events',
    'apps/1/events',
    '/x/apps/1/events',
    '/apps/1/nothing',
    '/apps/1/events/',
    '/apps/1/events/1',
    '/apps/1/channels/',
    '/apps/1/channels//users',
    '/apps/1/channels/%zz',
    '/apps/%zz/events',
    '//apps/1/events',
    '/apps/1/../1/events',
  ])('of %j is not found', (path) => {
    expect(codeOf('GET', path)).toBe('http.not-found');
  });

  test.each([
    ['GET', '/apps/1/events'],
    ['PUT', '/apps/1/events'],
    ['POST', '/apps/1/channels'],
    ['POST', '/apps/1/lifecycle/snapshot'],
    ['DELETE', '/apps/1/channels/room'],
    ['get', '/apps/1/channels'],
  ])('%s %s is told that the method is wrong', (method, path) => {
    expect(codeOf(method, path)).toBe('http.method');
  });
});

describe('the routes of those who publish', () => {
  test('are what any other look-up of their paths finds', () => {
    const found = publishRoutes(['1', 'app-1', 'a.b~c_D']);
    expect(found.size).toBe(6);
    for (const [path, route] of found) expect(route).toEqual(findRoute('POST', path));
  });
});
