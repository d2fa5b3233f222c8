import rxjs from 'eslint-plugin-rxjs-x';
import tseslint from 'typescript-eslint';

/**
 * Imports point inward. A folder may import itself and the folders listed here, nothing else of ours.
 * `outside` names the packages that only this folder may import.
 */
const layers = {
  'lib/errors': [],
  'lib/protocol': ['lib/errors'],
  'lib/flow': [],

  config: ['lib/errors', 'lib/protocol'],
  'lib/telemetry': ['config', 'lib/errors', 'lib/protocol', 'lib/flow'],
  'lib/apps': ['config', 'lib/errors', 'lib/protocol'],
  'lib/redis': ['config', 'lib/errors', 'lib/flow', 'lib/telemetry'],
  'lib/cluster': ['config', 'lib/errors', 'lib/flow', 'lib/redis', 'lib/telemetry'],
  'lib/membership': ['lib/cluster', 'lib/flow', 'lib/redis'],
  'lib/bus': ['lib/cluster', 'lib/flow', 'lib/membership', 'lib/redis'],
  'lib/cache': ['lib/cluster', 'lib/flow', 'lib/redis'],
  'lib/users': ['lib/cluster', 'lib/flow', 'lib/redis'],
  'lib/quota': ['lib/cluster', 'lib/flow', 'lib/redis'],
  'lib/outbox': ['lib/cluster', 'lib/errors', 'lib/flow', 'lib/membership', 'lib/redis', 'lib/telemetry'],
  'lib/webhooks': [
    'config',
    'lib/apps',
    'lib/errors',
    'lib/flow',
    'lib/outbox',
    'lib/protocol',
    'lib/telemetry',
  ],
  'lib/channels': [
    'lib/apps',
    'lib/bus',
    'lib/errors',
    'lib/flow',
    'lib/membership',
    'lib/protocol',
    'lib/telemetry',
    'lib/users',
  ],
  'lib/stages': [
    'config',
    'lib/apps',
    'lib/bus',
    'lib/cache',
    'lib/channels',
    'lib/errors',
    'lib/flow',
    'lib/membership',
    'lib/outbox',
    'lib/protocol',
    'lib/quota',
    'lib/telemetry',
    'lib/users',
    'lib/webhooks',
  ],
  'lib/http': [
    'config',
    'lib/apps',
    'lib/bus',
    'lib/cache',
    'lib/channels',
    'lib/errors',
    'lib/flow',
    'lib/membership',
    'lib/outbox',
    'lib/protocol',
    'lib/stages',
    'lib/telemetry',
    'lib/webhooks',
  ],
  'lib/edge': [
    'config',
    'lib/apps',
    'lib/channels',
    'lib/errors',
    'lib/flow',
    'lib/http',
    'lib/protocol',
    'lib/stages',
    'lib/telemetry',
  ],
  'lib/admin': ['config', 'lib/errors', 'lib/flow', 'lib/outbox', 'lib/telemetry', 'lib/webhooks'],
  'lib/workers': [
    'config',
    'lib',
    'lib/admin',
    'lib/apps',
    'lib/errors',
    'lib/flow',
    'lib/outbox',
    'lib/telemetry',
    'lib/webhooks',
  ],
  pipelines: ['lib/stages', 'lib/flow'],
  'lib/cli': [
    'config',
    'lib',
    'lib/apps',
    'lib/errors',
    'lib/outbox',
    'lib/telemetry',
    'lib/protocol',
    'lib/webhooks',
    'lib/workers',
  ],
};

/** Packages with one importer each (design: the edge owns ws, the breaker owns opossum). */
const ownedPackages = {
  ws: ['lib/edge'],
  ioredis: ['lib/redis'],
  fastify: ['lib/admin'],
  pino: ['lib/telemetry'],
  'pino-pretty': ['lib/telemetry'],
  'prom-client': ['lib/telemetry'],
  commander: ['lib/cli'],
  zod: ['config'],
  'lru-cache': ['lib/cache'],
  jiti: ['lib/stages'],
  opossum: ['lib/flow'],
  undici: ['lib/webhooks'],
};

const everyFolder = [...Object.keys(layers), 'lib'];

/** Turns "lib/flow" into the pattern of a relative import that ends inside that folder, seen from a sibling folder. */
function importOf(folder) {
  const name = folder.replace(/^lib\//, '');
  return folder === 'lib' ? '^(\\.\\./)+(lib/)?(server|index)\\.ts$' : `^(\\.\\./)+(lib/)?${name}/`;
}

function arrowsOf(folder, allowed) {
  const forbidden = everyFolder.filter((other) => other !== folder && !allowed.includes(other));
  const foreign = Object.entries(ownedPackages)
    .filter(([, owners]) => !owners.includes(folder))
    .map(([name]) => ({
      name,
      message: `Only ${ownedPackages[name].join(', ') || 'no folder yet'} imports ${name}.`,
    }));
  return {
    files: [`${folder}/**/*.ts`],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          paths:
            folder === 'lib/protocol'
              ? [...foreign, { name: 'rxjs', message: 'lib/protocol is pure: no RxJS.' }]
              : foreign,
          patterns: forbidden.map((other) => ({
            regex: importOf(other),
            message: `${folder} may not import ${other}: imports point inward (eslint.config.js, layers).`,
          })),
        },
      ],
    },
  };
}

const subscribesElsewhere = {
  selector: "CallExpression[callee.property.name='subscribe']",
  message: 'Only the runner (lib/stages/runner.ts), lib/flow and lib/server.ts subscribe to Observables.',
};
const emptyCatch = {
  selector: 'CatchClause > BlockStatement[body.length=0]',
  message: 'Nothing is caught and forgotten.',
};

export default tseslint.config(
  { ignores: ['dist/**', 'node_modules/**', 'coverage/**'] },
  ...tseslint.configs.strictTypeChecked.map((config) => ({ ...config, files: ['**/*.ts'] })),
  {
    files: ['**/*.ts'],
    plugins: { 'rxjs-x': rxjs },
    languageOptions: { parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname } },
    rules: {
      ...rxjs.configs.recommended.rules,
      'no-restricted-syntax': ['error', emptyCatch],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/no-invalid-void-type': 'off',
      'max-lines': ['error', { max: 300, skipBlankLines: true, skipComments: true }],
      'max-lines-per-function': ['error', { max: 60, skipBlankLines: true, skipComments: true }],
    },
  },
  {
    files: ['lib/**/*.ts', 'pipelines/**/*.ts', 'config/**/*.ts'],
    rules: {
      'no-restricted-syntax': ['error', emptyCatch, subscribesElsewhere],
      'no-console': 'error',
    },
  },
  {
    files: ['lib/stages/runner.ts', 'lib/server.ts', 'lib/flow/**/*.ts'],
    rules: { 'no-restricted-syntax': ['error', emptyCatch] },
  },
  { files: ['lib/cli/**/*.ts'], rules: { 'no-console': 'off' } },
  ...Object.entries(layers).map(([folder, allowed]) => arrowsOf(folder, allowed)),
  {
    files: ['spec/**/*.ts', 'bench/**/*.ts'],
    rules: {
      'max-lines': 'off',
      'max-lines-per-function': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
);
