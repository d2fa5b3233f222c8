import type { Command } from 'commander';
import type { Config } from '../../config/schema.ts';
import { addConfigFlags, loadFromFlags } from './config-flags.ts';

/** The admin listener of a running server, as seen from a command. */
export interface AdminClient {
  get(path: string, query?: Readonly<Record<string, string>>): Promise<unknown>;
  post(path: string, body: object): Promise<unknown>;
}

interface AdminFlags {
  readonly admin?: string;
  readonly token?: string;
}

/** Adds the flags that say which server is meant. */
export function addAdminFlags(command: Command): Command {
  return addConfigFlags(
    command
      .option('--admin <url>', 'admin listener of the server (default: from the configuration)')
      .option('--token <token>', 'admin.token of the server (default: from the configuration)'),
  );
}

/** The server that the flags of a command, or else the configuration, describe. */
export function adminClient(command: Command, env: NodeJS.ProcessEnv): AdminClient {
  const flags = command.opts<AdminFlags>();
  const isAllGiven = flags.admin !== undefined && flags.token !== undefined;
  const admin = isAllGiven ? undefined : loadFromFlags(command, env).config.admin;
  const target = { base: baseOf(command, flags.admin, admin), token: flags.token ?? admin?.token };
  return {
    get: (path, query = {}) => {
      const search = new URLSearchParams(query).toString();
      return ask(command, target, search === '' ? path : `${path}?${search}`, { method: 'GET' });
    },
    post: (path, body) =>
      ask(command, target, path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
  };
}

interface Target {
  readonly base: string;
  readonly token: string | undefined;
}

function baseOf(command: Command, given: string | undefined, admin: Config['admin'] | undefined): string {
  if (given !== undefined) {
    if (URL.canParse(given) && /^https?:/.test(given)) return given.replace(/\/+$/, '');
    return command.error(`error: --admin has to be a URL such as http://127.0.0.1:9601, not ${given}`);
  }
  const { host = '', port = 0 } = admin ?? {};
  if (port === 0)
    return command.error(
      'error: admin.port is 0, so the port is not known: give --admin URL; server.listening in the log has it as adminPort',
    );
  return `http://${reachableHost(host)}:${port}`;
}

/** A listener on every interface is reached on this machine. */
function reachableHost(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::' || host === '[::]') return '[::1]';
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
}

const timeoutMs = 15_000;

async function ask(command: Command, target: Target, path: string, init: RequestInit): Promise<unknown> {
  const { base, token } = target;
  const headers = new Headers(init.headers);
  if (token !== undefined) headers.set('authorization', `Bearer ${token}`);
  const answer = await fetchFrom(base, path, { ...init, headers, signal: AbortSignal.timeout(timeoutMs) });
  const body = jsonOf(await answer.text());
  if (answer.ok && body !== undefined) return body;
  const { error, code } = (body ?? {}) as { readonly error?: string; readonly code?: string };
  if (error === undefined || code === 'http.not-found')
    throw new Error(
      `${base} answered ${answer.status}, but not as Spillway's admin listener does: is that its address?`,
    );
  if (code === 'admin.token') throw new Error(`${base} did not accept the token: ${tokenAdvice}`);
  if (code === 'admin.loopback-only') throw new Error(`${base}: ${error}, and then ${tokenAdvice}`);
  if (answer.status === 400) return command.error(`error: ${error}`);
  throw new Error(error);
}

const tokenAdvice =
  'give admin.token with --token, in SPILLWAY_ADMIN_TOKEN, or the configuration of the server with --config';

async function fetchFrom(base: string, path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(`${base}${path}`, { ...init, redirect: 'error' });
  } catch (error) {
    throw new Error(
      `no answer from ${base} (${causeOf(error)}): is the server running, and is this its admin listener? --admin URL names another`,
      { cause: error },
    );
  }
}

interface FetchFailure {
  readonly message?: string;
  readonly cause?: { readonly code?: string; readonly message?: string };
}

/** `fetch` hides the reason in the cause of its error. */
function causeOf(error: unknown): string {
  const { message, cause } = error as FetchFailure;
  return cause?.code ?? cause?.message ?? message ?? String(error);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
