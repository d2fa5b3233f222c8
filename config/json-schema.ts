import { z } from 'zod';
import { configSchema } from './schema.ts';

/** The part of JSON Schema (2020-12) that the configuration uses. */
export interface JsonSchema {
  readonly $schema?: string;
  readonly $id?: string;
  readonly title?: string;
  readonly description?: string;
  readonly type?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | JsonSchema;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly enum?: readonly (string | number)[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly default?: unknown;
  /** A secret: its value is never shown. */
  readonly writeOnly?: boolean;
  /** What a value must look like, in words, where the keywords above do not say it. Not part of JSON Schema. */
  readonly expects?: string;
}

/** The configuration as a tree of settings, with the words that messages and the table use. */
export const settingsTree = z.toJSONSchema(configSchema, {
  io: 'input',
  override: ({ jsonSchema }) => {
    if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
    if (jsonSchema.type === 'object' && isEmptyObject(jsonSchema.default)) delete jsonSchema.default;
  },
}) as JsonSchema;

/** The JSON Schema of a configuration file, for editors and other tools. */
export function configJsonSchema(): JsonSchema {
  const { $schema, properties, ...rest } = withoutOurWords(settingsTree);
  return {
    ...($schema === undefined ? {} : { $schema }),
    title: 'Spillway configuration',
    ...rest,
    properties: {
      $schema: { type: 'string', description: 'Where this schema is, for editors.' },
      ...properties,
    },
  };
}

function withoutOurWords(node: JsonSchema): JsonSchema {
  const copy = JSON.parse(
    JSON.stringify(node, (key, value: unknown) => (key === 'expects' ? undefined : value)),
  ) as unknown;
  return copy as JsonSchema;
}

function isEmptyObject(value: unknown): boolean {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length === 0
  );
}
