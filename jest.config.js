const transform = {
  '^.+\\.[jt]s$': [
    '@swc/jest',
    {
      jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
      module: { type: 'commonjs' },
      sourceMaps: 'inline',
    },
  ],
};
const shared = {
  transform,
  testEnvironment: 'node',
  moduleNameMapper: { '^spillway$': '<rootDir>/lib/index.ts' },
  modulePathIgnorePatterns: ['<rootDir>/dist'],
};

export default {
  projects: [
    {
      ...shared,
      displayName: 'unit',
      testMatch: ['<rootDir>/spec/{lib,pipelines,config,house,bench}/**/*.spec.ts'],
    },
    {
      ...shared,
      displayName: 'integration',
      testMatch: ['<rootDir>/spec/{conformance,integration,chaos}/**/*.spec.ts'],
    },
  ],
  testTimeout: 20_000,
  maxWorkers: 2,
};
