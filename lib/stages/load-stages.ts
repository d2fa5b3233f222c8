import { readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createJiti } from 'jiti';
import { SpillwayError } from '../errors/spillway-error.ts';
import { isSlotStage, type SlotStage } from './define-stage.ts';

export interface LoadedStage {
  readonly stage: SlotStage;
  readonly file: string;
}

const isModule = (name: string): boolean =>
  /\.(ts|mts|js|mjs|cjs)$/.test(name) && !/\.(d|spec|test)\.[mc]?ts$/.test(name);

/**
 * Loads the stages of users: modules, TypeScript without a build step, whose exports were made by `defineStage`.
 *
 * @param paths Files, or folders whose modules are loaded in the order of their names.
 * @param modules Where `import … from 'spillway'` and `from 'rxjs'` lead in a stage that has no node_modules beside it.
 * @throws SpillwayError `stage.invalid` naming the file and what to do.
 */
export async function loadStages(
  paths: readonly string[],
  modules: Readonly<Record<string, string>>,
): Promise<readonly LoadedStage[]> {
  const files = paths.flatMap(filesOf);
  if (files.length === 0) return [];
  const jiti = createJiti(resolve('spillway.js'), { alias: { ...modules }, moduleCache: true });
  const loaded: LoadedStage[] = [];
  for (const file of files) loaded.push(...stagesIn(file, await importModule(jiti, file)));
  ensureUniqueNames(loaded);
  return loaded;
}

function filesOf(path: string): readonly string[] {
  const absolute = resolve(path);
  const stats = statSync(absolute, { throwIfNoEntry: false });
  if (stats === undefined) throw invalid(path, 'there is no such file or folder');
  if (!stats.isDirectory()) return [absolute];
  return readdirSync(absolute)
    .filter(isModule)
    .sort()
    .map((name) => join(absolute, name));
}

async function importModule(
  jiti: ReturnType<typeof createJiti>,
  file: string,
): Promise<Readonly<Record<string, unknown>>> {
  try {
    return await jiti.import(file);
  } catch (error) {
    if (error instanceof SpillwayError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new SpillwayError(
      'stage.invalid',
      { stage: file, problem: `it could not be loaded: ${reason}` },
      { cause: error },
    );
  }
}

function stagesIn(file: string, module: Readonly<Record<string, unknown>>): readonly LoadedStage[] {
  const stages = [...new Set(Object.values(module))].filter(isSlotStage).map((stage) => ({ stage, file }));
  if (stages.length > 0) return stages;
  throw invalid(
    file,
    "it exports no stage: write export default defineStage({ name: '…', slot: '…', map: … })",
  );
}

function ensureUniqueNames(loaded: readonly LoadedStage[]): void {
  const seen = new Map<string, string>();
  for (const { stage, file } of loaded) {
    const other = seen.get(stage.name);
    if (other !== undefined) throw invalid(stage.name, `two stages have this name: ${other} and ${file}`);
    seen.set(stage.name, file);
  }
}

function invalid(stage: string, problem: string): SpillwayError {
  return new SpillwayError('stage.invalid', { stage, problem });
}
