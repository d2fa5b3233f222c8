import { isRawObject, merge, objectWith, type RawObject } from '../raw.ts';
import type { SoketiOption, SoketiOptions } from './options.ts';
import { appRules, ruleFor } from './rules.ts';
import type { Translator } from './translator.ts';
import { kibToBytes, msToSeconds, toCap } from './values.ts';

/** What soketi uses for an app whose credentials are not all given. */
const soketiDefaults: RawObject = { id: 'app-id', key: 'app-key', secret: 'app-secret' };
const soketiAuthenticationMs = 30_000;

/** The options of the server that are settings of every app here. */
const sharedOptions: Readonly<Record<string, string>> = {
  'presence.maxMembersPerChannel': 'presence.maxMembers',
  'presence.maxMemberSizeInKb': 'presence.maxUserInfoBytes',
  userAuthenticationTimeout: 'requireAuthWithinSeconds',
  'webhooks.batching.enabled': 'webhooks[].batching',
};

/** Whether the option is one that `translateApps` takes. */
export function isSharedAppOption(path: string): boolean {
  return Object.hasOwn(sharedOptions, path);
}

/** Translates the apps, with the options of the server that we keep per app. */
export function translateApps(
  { options, apps }: SoketiOptions,
  translator: Translator,
): readonly RawObject[] {
  reportShared({ options, apps }, translator);
  const shared = sharedSettings(options);
  return apps.map((app, index) => {
    const translated = [...app].map(([name, option]) =>
      translateOption(name, option, index, { options, translator }),
    );
    return [soketiDefaults, shared, ...translated].reduce(merge, {});
  });
}

interface Context {
  readonly options: SoketiOptions['options'];
  readonly translator: Translator;
}

function reportShared(
  { options, apps }: Pick<SoketiOptions, 'options' | 'apps'>,
  translator: Translator,
): void {
  for (const [path, to] of Object.entries(sharedOptions)) {
    const option = options.get(path);
    if (option === undefined) continue;
    if (apps.length > 0) translator.became(option.from, `apps[].${to}`);
    else translator.hasNone(option.from, `soketi's settings name no app: set ${to} of each app`);
  }
}

function sharedSettings(options: SoketiOptions['options']): RawObject {
  const maxMembers = options.get('presence.maxMembersPerChannel')?.value;
  const memberSize = options.get('presence.maxMemberSizeInKb')?.value;
  return {
    presence: {
      ...(maxMembers !== undefined && { maxMembers: toCap(maxMembers) }),
      ...(memberSize !== undefined && { maxUserInfoBytes: kibToBytes(memberSize) }),
    },
  };
}

function translateOption(name: string, option: SoketiOption, index: number, context: Context): RawObject {
  const { translator } = context;
  const path = `apps[${index}]`;
  if (name === 'webhooks') {
    translator.became(option.from, `${path}.webhooks`);
    return { webhooks: webhooksOf(option, context) };
  }
  if (name === 'enableUserAuthentication') {
    translator.became(option.from, `${path}.requireAuthWithinSeconds`);
    const timeoutMs = context.options.get('userAuthenticationTimeout')?.value ?? soketiAuthenticationMs;
    return {
      requireAuthWithinSeconds: option.value === true || option.value === 1 ? msToSeconds(timeoutMs) : 0,
    };
  }
  const rule = ruleFor(appRules, name);
  if (rule === undefined || 'none' in rule) {
    translator.hasNone(option.from, rule?.none);
    return {};
  }
  translator.became(option.from, `${path}.${rule.to}`, rule.note);
  return objectWith(rule.to.split('.'), rule.convert?.(option.value) ?? option.value);
}

function webhooksOf({ value, from }: SoketiOption, { options, translator }: Context): unknown {
  if (!Array.isArray(value)) return value;
  const batching = options.get('webhooks.batching.enabled')?.value;
  return value.flatMap((webhook: unknown, index): unknown[] => {
    if (!isRawObject(webhook)) return [webhook];
    if (webhook['url'] === undefined) {
      translator.hasNone(`${from}[${index}]`, 'webhooks are sent over HTTP only');
      return [];
    }
    return [webhookOf(webhook, batching === undefined ? {} : { batching })];
  });
}

function webhookOf(webhook: RawObject, shared: RawObject): RawObject {
  const filter = isRawObject(webhook['filter']) ? webhook['filter'] : {};
  return merge(shared, {
    url: webhook['url'],
    events: webhook['event_types'],
    headers: webhook['headers'],
    channels: {
      ...(filter['channel_name_starts_with'] !== undefined && {
        startsWith: filter['channel_name_starts_with'],
      }),
      ...(filter['channel_name_ends_with'] !== undefined && { endsWith: filter['channel_name_ends_with'] }),
    },
  });
}
