import { afterAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { environmentName } from '../../config/environment.ts';
import { type ConfigSources, loadConfig } from '../../config/load.ts';
import { objectWith } from '../../config/raw.ts';
import { allSettings, plainSettings } from '../../config/settings.ts';
import { soketiEnvironment } from '../../config/soketi/environment.ts';
import { SpillwayError } from '../../lib/errors/spillway-error.ts';
import { ConfigFiles } from './config-files.ts';

const files = new ConfigFiles();
afterAll(() => files.remove());

/** Loads, and accepts a configuration or the list of mistakes, nothing else. */
function loadsOrExplains(sources: ConfigSources): void {
  try {
    expect(loadConfig(sources).config.apps.length).toBeGreaterThan(0);
  } catch (error) {
    if (!(error instanceof SpillwayError)) throw error;
    expect(error.code).toBe('config.invalid');
    expect(String(error.details['problems'])).not.toBe('');
  }
}

const names = allSettings().flatMap(({ key }) => key.replaceAll('[]', '').split('.'));
const anyName = fc.oneof(
  fc.constantFrom(
    ...names,
    '__proto__',
    'constructor',
    'toString',
    'appManager',
    'appManager.array.apps',
    'database',
  ),
  fc.string(),
);
const nearConfig = fc.letrec((tie) => ({
  value: fc.oneof({ depthSize: 'small' }, fc.jsonValue({ maxDepth: 2 }), tie('list'), tie('object')),
  list: fc.array(tie('value'), { maxLength: 3 }),
  object: fc.dictionary(anyName, tie('value'), { maxKeys: 4 }),
}));

describe('loadConfig throws nothing but SpillwayError', () => {
  it('for any JSON in the file', () => {
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), nearConfig.value, nearConfig.object), (value) => {
        loadsOrExplains({ file: files.write(JSON.stringify(value)), env: {} });
      }),
      { numRuns: 300 },
    );
  });

  it('for any text in the file', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        loadsOrExplains({ file: files.write(text), env: {} });
      }),
    );
  });

  it('for any value of any one setting', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...plainSettings()),
        fc.oneof(fc.anything(), nearConfig.value),
        ({ key }, value) => {
          loadsOrExplains({ env: {}, overrides: objectWith(key.split('.'), value) });
        },
      ),
      { numRuns: 500 },
    );
  });

  it('for any value of any variable', () => {
    const known = [
      ...plainSettings().map(({ key }) => environmentName(key)),
      ...Object.keys(soketiEnvironment).map((name) => `SOKETI_${name}`),
      'SPILLWAY_APP_ID',
      'SPILLWAY_DEV',
      'SPILLWAY_STAGES',
    ];
    const text = fc.oneof(fc.string(), fc.json(), fc.constantFrom('1', 'true', 'redis', '-1'));
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...known), text, { maxKeys: 6 }), (env) =>
        loadsOrExplains({ env }),
      ),
      { numRuns: 500 },
    );
  });
});
