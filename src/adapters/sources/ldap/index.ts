import type { Host } from '../../../ports/host.ts';
import type { CapturedStream, Source, SourceTools } from '../../../ports/source.ts';
import { engineClient } from '../../../process/engine-client.ts';
import { noSql } from '../server/no-sql.ts';
import { type Reached, reachServer } from '../server/reach.ts';
import { streamItem } from '../server/stream-item.ts';
import * as args from './args.ts';
import type { LdapSettings } from './config.ts';
import { othersThan } from './directories.ts';
import { dumpDirectory, explain } from './dump.ts';
import { placesOf } from './place.ts';

export { format } from './format.ts';

const KIND = 'ldap';
const CONFIGURATION = 'ldap_config';
const LOOK_LIMIT_MS = 60_000;

/** One OpenLDAP server: the entries below a suffix, and its schema and settings (cn=config). */
export function source(name: string, settings: LdapSettings, host: Host, tools: SourceTools): Source {
  const { config, container, suffix } = settings.ldap;
  const itemOf = (item: string, reached: Reached, tool: CapturedStream['tool']): CapturedStream => {
    const what = item === KIND ? { suffix } : 'configuration';
    const command = reached.command('slapcat', args.dump(config, what));
    const fixed = { name: item, source: name, kind: KIND, file: `${item}.ldif`, compressed: false, tool };
    const subject = item === KIND ? suffix : 'cn=config';
    const warn = item === KIND ? null : (ldif: string) => warningsOf(suffixesOf(settings, tools.kin), ldif);
    const dump = (signal: AbortSignal) => dumpDirectory(subject, command, reached, signal, warn);
    return streamItem({ ...fixed, estimatedBytes: null }, dump);
  };
  return {
    name,
    kind: KIND,
    capabilities: { tree: false, inPlace: true, sql: false },
    itemNames: [KIND, CONFIGURATION],
    async capture(_context, signal) {
      signal.throwIfAborted();
      const reached = await reachServer(name, settings.ldap, host, tools);
      await look(reached, settings, signal);
      const version = await versionOf(reached, signal);
      const tool = version === null ? null : { name: 'slapcat', version };
      const items = [itemOf(KIND, reached, tool), itemOf(CONFIGURATION, reached, tool)];
      return { items, [Symbol.asyncDispose]: async () => undefined };
    },
    databases: null,
    readFrom: container === undefined ? undefined : { container },
    withoutPlace: `Restore its settings first, by themselves (--item ${CONFIGURATION}), then this; or to a folder with: --to DIR`,
    async placements(_roots, signal) {
      const reached = await reachServer(name, settings.ldap, host, tools);
      const files = { entries: `${KIND}.ldif`, configuration: `${CONFIGURATION}.ldif` };
      const engine = engineClient(host, tools.engineEnvironment);
      return await placesOf(settings, files, reached, host, engine, signal);
    },
    snapshotRoots: async () => [],
    holdsDatabases: async () => true,
    query: () => Promise.reject(noSql(name, 'a directory', 'command or tcp')),
  };
}

/** A server may have several databases, and a source has one of them. */
const warningsOf = (suffixes: readonly string[], ldif: string): readonly string[] =>
  othersThan(suffixes, ldif).map((other) => `${other} of the same server is not dumped: give it a service of its own`);

/** Of all sources that read the same server. */
const suffixesOf = ({ ldap }: LdapSettings, kin: readonly unknown[] = []): readonly string[] =>
  [ldap, ...(kin as readonly LdapSettings[]).map((other) => other.ldap)]
    .filter(({ container, config }) => container === ldap.container && config === ldap.config)
    .map(({ suffix }) => suffix);

/** Reads the server's settings, as every slapcat does, and none of its entries.
 *  @throws SourceMissing when there is no such server, or a folder of its databases is away; ToolMissing */
async function look(
  { host, command }: Reached,
  { ldap: { config } }: LdapSettings,
  signal: AbortSignal,
): Promise<void> {
  const slapcat = command('slapcat', [...args.dump(config, 'configuration'), '-a', '(!(objectClass=*))']);
  try {
    await host.run(slapcat, { signal, limitMs: LOOK_LIMIT_MS });
  } catch (error) {
    signal.throwIfAborted();
    throw explain(error, 'cn=config');
  }
}

/** slapcat itself tells none, and slapd may lie beside it or not. */
async function versionOf({ host, command }: Reached, signal: AbortSignal): Promise<string | null> {
  try {
    const { stdout, stderrTail } = await host.run(command('slapd', ['-VV']), {
      signal,
      limitMs: LOOK_LIMIT_MS,
      accept: [0, 1],
    });
    return /slapd (\d+(?:\.\d+)*)/.exec(stdout + stderrTail)?.[1] ?? null;
  } catch {
    signal.throwIfAborted();
    return null;
  }
}
