import { describe, expect, test } from '@jest/globals';
import { loadConfig } from '../../../config/load.ts';
import { AppRegistry } from '../../../lib/apps/app-registry.ts';

const apps = [
  { id: '1', key: 'k1', secret: 's1', extraKeys: [{ key: 'k1b', secret: 's1b' }] },
  { id: '2', key: 'k2', secret: 's2' },
];
const registry = new AppRegistry(loadConfig({ env: {}, overrides: { apps } }).config.apps);

describe('an app', () => {
  test('is found by its id', () => {
    expect(registry.byId('1')?.id).toBe('1');
  });

  test.each(['k1', 'k1b'])('is found by each of its keys: %s', (key) => {
    expect(registry.byKey(key)?.id).toBe('1');
  });

  test.each(['k3', '', 's1', '1', '__proto__'])('is not found by %j', (key) => {
    expect(registry.byKey(key)).toBeUndefined();
  });

  test('has its own pair as the first of its signing keys', () => {
    expect([...registry.byId('1')!.signingKeys.keys()]).toEqual(['k1', 'k1b']);
  });

  test('is one of all', () => {
    expect(Array.from(registry.all(), ({ id }) => id)).toEqual(['1', '2']);
  });
});
