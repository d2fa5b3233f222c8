import { runInNewContext } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import { type ClientTarget, laravelEcho, laravelEnv, pusherJs, snippets } from '../../../lib/cli/snippets.ts';

const plain: ClientTarget = {
  app: { id: 'app-id', key: 'app-key', secret: 'app-secret' },
  server: { host: '127.0.0.1', path: '' },
  port: 6001,
};
const tls: ClientTarget = {
  ...plain,
  server: { host: '0.0.0.0', path: '/ws', tls: { certFile: 'c', keyFile: 'k' } },
  port: 443,
};

/** The options object of a snippet, as JavaScript reads it. */
function optionsIn(snippet: string): unknown {
  const [literal = ''] = /\{\n[\s\S]*?\n\}(?=\))/.exec(snippet) ?? [];
  return runInNewContext(`(${literal})`) as unknown;
}

describe('snippets', () => {
  it('for pusher-js are its options', () => {
    expect(optionsIn(pusherJs(plain))).toEqual({
      cluster: 'local',
      wsHost: '127.0.0.1',
      wsPort: 6001,
      wssPort: 6001,
      forceTLS: false,
      enabledTransports: ['ws', 'wss'],
    });
  });

  it('follow path, TLS and a host that listens everywhere', () => {
    expect(optionsIn(pusherJs(tls))).toMatchObject({
      wsHost: 'localhost',
      wssPort: 443,
      wsPath: '/ws',
      forceTLS: true,
    });
    expect(laravelEnv(tls)).toContain('PUSHER_HOST=localhost\nPUSHER_PORT=443\nPUSHER_SCHEME=https');
  });

  it('for Laravel Echo name broadcaster and key', () => {
    expect(optionsIn(laravelEcho(plain))).toMatchObject({
      broadcaster: 'pusher',
      key: 'app-key',
      wsPort: 6001,
    });
  });

  it("for Laravel's .env are its variables", () => {
    expect(laravelEnv(plain).split('\n')).toEqual([
      'BROADCAST_CONNECTION=pusher',
      'PUSHER_APP_ID=app-id',
      'PUSHER_APP_KEY=app-key',
      'PUSHER_APP_SECRET=app-secret',
      'PUSHER_HOST=127.0.0.1',
      'PUSHER_PORT=6001',
      'PUSHER_SCHEME=http',
      'PUSHER_APP_CLUSTER=local',
    ]);
  });

  it('come together in one text', () => {
    const text = snippets(plain);
    expect(text).toContain(pusherJs(plain));
    expect(text).toContain(laravelEcho(plain));
    expect(text).toContain(laravelEnv(plain));
  });
});
