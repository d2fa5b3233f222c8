import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const own = fileURLToPath(new URL('../../../../dist/lib/redis/scripts', import.meta.url));

/**
 * A copy of the product's scripts with other passages in them, and its folder. `patches`: for each script the passages as
 * `[text, other text]`, each of which has to be there once; or a text, for a script that the product has not.
 */
export function patchedScripts(folder, patches) {
  cpSync(own, folder, { recursive: true });
  for (const [name, patch] of Object.entries(patches)) {
    const file = join(folder, `${name}.lua`);
    if (typeof patch === 'string') add(file, patch);
    else writeFileSync(file, patch.reduce(exchange, readFileSync(file, 'utf8')));
  }
  return folder;
}

function add(file, text) {
  if (existsSync(file)) throw new Error(`${file}: there is such a script`);
  writeFileSync(file, text);
}

function exchange(script, [text, other]) {
  const parts = script.split(text);
  if (parts.length !== 2) throw new Error(`there ${parts.length - 1} times instead of once: ${text}`);
  return parts.join(other);
}
