import { describe, expect, it } from '@jest/globals';
import { redact } from '../../config/redact.ts';
import { load } from './config-files.ts';

describe('redact', () => {
  const secret = 'hunter2';
  const { config } = load({
    admin: { token: secret },
    redis: { url: `redis://:${secret}@x`, sentinels: { name: 'm', nodes: [`${secret}:1`] } },
    apps: [
      {
        id: 'a',
        key: 'visible-key',
        secret,
        extraKeys: [{ key: 'k', secret }],
        webhooks: [
          {
            url: `https://u:${secret}@x`,
            headers: { Authorization: secret },
            signingSecret: `whsec_${secret}`,
          },
        ],
      },
    ],
  });

  it('hides every secret and nothing else', () => {
    const text = JSON.stringify(redact(config));
    expect(text).not.toContain(secret);
    expect(text).toContain('visible-key');
  });

  it('keeps the shape', () => {
    expect(redact(config)).toMatchObject({
      server: config.server,
      admin: { token: '[redacted]', port: 9601 },
      apps: [{ secret: '[redacted]', extraKeys: [{ key: 'k', secret: '[redacted]' }] }],
    });
  });
});
