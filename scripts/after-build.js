// Runs after tsc: what the package ships beside its code.
import { cpSync, writeFileSync } from 'node:fs';
import { configJsonSchema } from '../dist/config/json-schema.js';

const target = new URL('../dist/config-schema.json', import.meta.url);
writeFileSync(target, `${JSON.stringify(configJsonSchema(), null, 2)}\n`);

const scripts = 'lib/redis/scripts';
cpSync(new URL(`../${scripts}`, import.meta.url), new URL(`../dist/${scripts}`, import.meta.url), {
  recursive: true,
});
