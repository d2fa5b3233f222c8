import type { KeyObject } from 'node:crypto';
import type { AppConfig } from '../../config/schema.ts';
import { toSigningKey } from '../protocol/signatures.ts';
import { type OriginRule, toOriginRule } from './origins.ts';

/** One app as the server uses it: its settings, and its secrets as keys made once. */
export interface App {
  readonly id: string;
  readonly config: AppConfig;
  /** Signing keys by public key; the first is the app's own pair. */
  readonly signingKeys: ReadonlyMap<string, KeyObject>;
  readonly allowsOrigin: OriginRule;
}

export function toApp(config: AppConfig): App {
  const pairs = [{ key: config.key, secret: config.secret }, ...config.extraKeys];
  return {
    id: config.id,
    config,
    signingKeys: new Map(pairs.map(({ key, secret }) => [key, toSigningKey(secret)])),
    allowsOrigin: toOriginRule(config.allowedOrigins),
  };
}
