import { HoldfastError } from '../../../domain/errors.ts';
import { isBelow } from '../../../domain/tree-path.ts';
import type { Host } from '../../../ports/host.ts';
import type { InPlacePath, ServerFiles } from '../../../ports/source.ts';
import type { EngineClient } from '../../../process/engine-client.ts';
import { type Outside, outsideOf } from '../server/outside.ts';
import type { Reached } from '../server/reach.ts';
import * as args from './args.ts';
import { buildConfiguration, buildEntries } from './build.ts';
import type { LdapSettings } from './config.ts';
import { directoriesIn, partsOf, sameSuffix } from './directories.ts';
import { explain } from './dump.ts';

/** Where packages put cn=config: Debian, then Fedora and Arch. */
const USUAL = ['/etc/ldap/slapd.d', '/etc/openldap/slapd.d'] as const;

/** Which folders a restore in place exchanges: that of the entries, and that of cn=config. The entries' folder is known
 *  only while cn=config can be read. In a container both must lie in volumes or mounted folders.
 *  @throws Unsupported where databases share a folder, or one is a part of another; SourceMissing; Refused for a folder that goes with its container, and
 *  for a replica */
export async function placesOf(
  { ldap: { container, config, suffix } }: LdapSettings,
  files: { readonly entries: string; readonly configuration: string },
  reached: Reached,
  outer: Host,
  engine: EngineClient,
  signal: AbortSignal,
): Promise<readonly InPlacePath[]> {
  const { host } = reached;
  const folder = await configurationFolder(config, host, signal);
  const data = await entriesFolder(folder, suffix, reached, signal);
  const seen = async (path: string): Promise<Outside> =>
    container === undefined
      ? { path, mounted: false, inside: (other) => other }
      : besideWhichIsRoom(await outsideOf(path, { name: container, host }, outer, engine, signal), container);
  const outside = { config: await seen(folder), data: data.path === null ? null : await seen(data.path) };
  const builder = {
    outer,
    suffix,
    config: folder,
    data: data.path,
    files,
    reached: toolsOf(reached, container),
  };
  const held = outside.data === null ? [] : [outside.data.path];
  const placed = ({ path }: Outside, stored: string, build: ServerFiles['build']): InPlacePath => ({
    path,
    stored,
    companions: [],
    exclusive: true,
    server: { name: 'OpenLDAP', heldAt: held, build },
  });
  const configuration = placed(outside.config, files.configuration, (dumps, target, aborted) =>
    buildConfiguration(builder, outside.config, dumps, target, aborted),
  );
  const { data: own } = outside;
  if (own === null) return [configuration];
  const entries = placed(own, files.entries, (dumps, target, aborted) =>
    buildEntries(builder, own, dumps, target, aborted),
  );
  return [entries, configuration];
}

/** slapadd of the container makes the new folder beside the present one. */
function besideWhichIsRoom(place: Outside, container: string): Outside {
  if (!place.mounted) return place;
  const words = `${place.path} is mounted in container ${container} by itself, so that its slapadd can make nothing beside it.`;
  throw new HoldfastError('Unsupported', words, container, {
    hint: 'Mount the folder above it; or restore to a folder with --to DIR, and let slapadd fill the empty volume',
  });
}

/** On this machine what is built lies where only the caller may look, who gives it away afterwards. */
const toolsOf = (reached: Reached, container: string | undefined): Reached =>
  container === undefined ? { ...reached, command: (program, args) => ({ program, args }) } : reached;

async function configurationFolder(config: string | undefined, { files }: Host, signal: AbortSignal): Promise<string> {
  for (const folder of config === undefined ? USUAL : [config])
    if ((await files.status(folder, signal)) !== null) return await files.realPath(folder, signal);
  if (config !== undefined) return config;
  throw new HoldfastError('SourceMissing', `cn=config is in neither ${USUAL.join(' nor ')}.`, 'cn=config', {
    hint: 'Say where it is in the source: config',
  });
}

/** @returns null where cn=config cannot be read: it can be restored, and then the entries */
async function entriesFolder(
  config: string,
  suffix: string,
  { host, command }: Reached,
  signal: AbortSignal,
): Promise<{ readonly path: string | null }> {
  let ldif: string;
  try {
    ldif = (await host.run(command('slapcat', args.dump(config, 'configuration')), { signal })).stdout;
  } catch (error) {
    signal.throwIfAborted();
    const told = explain(error, 'cn=config');
    if (told instanceof HoldfastError && told.code === 'ToolMissing') throw told;
    return { path: null };
  }
  const all = directoriesIn(ldif);
  const own = all.find(({ suffixes }) => suffixes.some((one) => sameSuffix(one, suffix)));
  if (own === undefined || !own.path.startsWith('/')) return { path: null };
  if (own.replicated)
    throw new HoldfastError(
      'Refused',
      `${suffix} is filled by other servers (olcSyncrepl), which would undo it.`,
      suffix,
      {
        hint: 'Restore on the provider; where each is one, stop the others. By hand: restore to a folder with --to DIR',
      },
    );
  const shared = all.find((other) => other !== own && isBelow(other.path, own.path));
  if (shared !== undefined)
    throw new HoldfastError(
      'Unsupported',
      `${shared.path}, the folder of ${shared.suffixes.join(', ')}, lies in that of ${suffix}.`,
      suffix,
      {
        hint: 'Restore to a folder with --to DIR, and let slapadd fill it while the server is down',
      },
    );
  const parts = partsOf(suffix, all);
  if (parts.length > 0)
    throw new HoldfastError(
      'Unsupported',
      `${parts.flatMap(({ suffixes }) => suffixes).join('; ')} is a part of ${suffix} in a folder of its own (olcSubordinate), into which slapadd would write while the server runs.`,
      suffix,
      {
        hint: 'Restore to a folder with --to DIR, stop the server, empty the folders of both, and let slapadd fill them',
      },
    );
  const there = (await host.files.status(own.path, signal)) !== null;
  return { path: there ? await host.files.realPath(own.path, signal) : own.path };
}
