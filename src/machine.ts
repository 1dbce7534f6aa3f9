import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { HOSTS, SOURCES } from './adapters/registry.ts';
import { secretReader } from './config/secret.ts';
import { messageOf } from './domain/errors.ts';
import type { Settings } from './domain/proposal.ts';
import { openLocalHost } from './hosts.ts';
import type { Machine } from './operations/init-try.ts';
import type { Host } from './ports/host.ts';
import { engineEnvironment } from './process/container-engine.ts';

/** A server that does not answer by then is not proposed as one that works. */
const LIMIT_MS = 20_000;
/** Kinds whose capture begins by asking a server what it has, and reads none of it yet. */
const ASKED: ReadonlySet<string> = new Set(['postgres', 'mariadb', 'redis', 'ldap', 'couchdb']);

/** This machine as `init` looks at it, without a configuration. */
export async function openMachine(): Promise<Machine> {
  const host = await openLocalHost();
  const engine = engineEnvironment(process.env);
  return {
    host,
    engine,
    whyNotCaptured: async (settings, signal) => {
      const kind = Object.keys(settings).find((key) => SOURCES.has(key));
      if (kind === undefined) return `this version has no sources of kind ${Object.keys(settings)[0]} yet`;
      if (!ASKED.has(kind)) return null;
      try {
        return await whyNotAsked(
          kind,
          settings,
          { host, engine },
          AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)]),
        );
      } catch (error) {
        signal.throwIfAborted();
        return messageOf(error);
      }
    },
  };
}

/** @throws what the source throws; ZodError for settings that it does not take */
async function whyNotAsked(
  kind: string,
  settings: Settings,
  { host, engine }: { readonly host: Host; readonly engine: Machine['engine'] },
  signal: AbortSignal,
): Promise<string | null> {
  const row = SOURCES.get(kind);
  if (row === undefined) throw new TypeError(`${kind} is no kind of sources.`);
  const workspace = await mkdtemp(resolve(tmpdir(), 'holdfast-init-'));
  try {
    const secret = secretReader({
      environment: process.env,
      run: async ([program = '', ...args]) =>
        (await host.run({ program, args, environment: engine }, { signal })).stdout,
      warn: () => undefined,
    });
    const container = async (name: string): Promise<Host> => {
      const { dockerHost } = await HOSTS.docker.load();
      return dockerHost(name, host, engine, signal);
    };
    const tools = { secret, container, engineEnvironment: engine };
    const source = (await row.load()).source('db', settings, host, tools);
    const context = { workspace, forbidden: [], quiescent: false };
    await using captured = await source.capture(context, signal);
    return captured.items.length === 0 ? 'it has no database yet' : null;
  } finally {
    await rm(workspace, { recursive: true, force: true });
  }
}
