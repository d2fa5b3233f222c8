import { afterEach, describe, expect, it } from '@jest/globals';
import { TestApi } from '../support/api.ts';
import { closeClients, connect } from '../support/client.ts';
import { createLateStores } from '../support/late-stores.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

let server: TestServer;
afterEach(async () => {
  closeClients();
  await server.stop();
});

describe.each([
  ['prompt', {}],
  ['late', { start: { createStores: createLateStores(1) } }],
])('%s stores', (_name, options) => {
  it('joins, tells others, delivers', async () => {
    server = await startTestServer(options);
    const api = new TestApi(server);
    const a = await connect(server);
    const b = await connect(server);
    await a.subscribed('presence-x', { user_id: 'a' });
    expect(await b.subscribed('presence-x', { user_id: 'b' })).toMatchObject({ presence: { count: 2 } });
    expect((await a.waitFor('pusher_internal:member_added')).data).toBe('{"user_id":"b"}');
    expect((await api.trigger('presence-x', 'hi', 'there')).json).toEqual({});
    expect((await b.waitFor('hi')).data).toBe('there');
    await b.close();
    expect((await a.waitFor('pusher_internal:member_removed')).data).toBe('{"user_id":"b"}');
    api.close();
  });
});
