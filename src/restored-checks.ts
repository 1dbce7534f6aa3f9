import { basename } from 'node:path';
import { VALIDATORS } from './adapters/registry.ts';
import type { ServiceDefinition } from './domain/definitions.ts';
import type { Host } from './ports/host.ts';
import type { LiveData, RestoredCheck, RestoredCopy, ScratchPlace } from './ports/scratch.ts';
import type { Validator } from './ports/validator.ts';
import { checkHost } from './process/check-host.ts';

interface CheckSettings {
  readonly drill?: boolean;
  readonly command?: readonly string[];
}

const LIVE = 'it reaches the live service';
const LEFT_OUT = 'left out by `drill: false`';
const NO_NAMESPACE = 'no namespace without a network can be made here: `drill: true` runs it all the same';

/** The declared checks of a service, for its restored copy: programs run without a network and without the sockets of
 *  other servers, queries ask the copy, and what would reach the live service is not made (interface, section 10, line 8). */
export async function restoredChecks(
  service: ServiceDefinition,
  copy: RestoredCopy,
  place: ScratchPlace,
  signal: AbortSignal,
): Promise<readonly RestoredCheck[]> {
  const enclosed = await checkHost(place, copy.folder, copy.live, signal);
  const checks: RestoredCheck[] = [];
  for (const settings of service.checks) {
    const kind = [...VALIDATORS.keys()].find((each) => Object.hasOwn(Object(settings), each)) ?? '';
    const host = enclosed ?? inFolder(place.host, copy.folder);
    const reason =
      reasonFor(kind, settings as CheckSettings, enclosed !== null) ??
      namedHidden(settings as CheckSettings, copy.live);
    checks.push({
      ...(await bound(kind, settings, host, copy)),
      ...(reason === null ? {} : { validator: null, reason }),
    });
  }
  return checks;
}

/** Programs that look at what runs, over the network or by an engine's socket: in a drill they find nothing, which says
 *  nothing of the point. What a shell runs is not known, and may have started a server of its own. */
const OF_LIVE: ReadonlySet<string> = new Set([
  ...['curl', 'wget', 'nc', 'ncat', 'ping', 'ssh', 'docker', 'docker-compose', 'podman', 'systemctl'],
]);

function reasonFor(kind: string, { command, drill }: CheckSettings, enclosed: boolean): string | null {
  if (drill === false) return LEFT_OUT;
  if (kind !== 'command' && kind !== 'sql') return LIVE;
  if (kind === 'sql' || drill === true) return null;
  if (OF_LIVE.has(basename(command?.[0] ?? ''))) return LIVE;
  return enclosed ? null : NO_NAMESPACE;
}

/** A check that names what it cannot find would fail, and with it a point that may be good. */
function namedHidden({ command = [], drill }: CheckSettings, { hidden }: LiveData): string | null {
  const named = hidden.find((path) => drill !== true && command.some((word) => isNamedIn(word, path)));
  return named === undefined ? null : `${named} cannot be replaced by what was restored: ask HOLDFAST_RESTORED for it`;
}

/** Not as the beginning of a longer name. */
function isNamedIn(word: string, path: string): boolean {
  const at = word.indexOf(path);
  return at >= 0 && !/^[\w.-]/.test(word.slice(at + path.length));
}

async function bound(kind: string, settings: unknown, host: Host, copy: RestoredCopy): Promise<RestoredCheck> {
  const row = VALIDATORS.get(kind);
  if (row === undefined) throw new TypeError('A check has passed its schema and is of no kind.');
  const validator: Validator = await row.open(settings, {
    host,
    environment: copy.environment,
    source: async (name) => ({
      kind,
      capabilities: { tree: false, inPlace: false, sql: true },
      query: (sql, signal) => copy.query(name, sql, signal),
    }),
  });
  return { name: validator.name, validator, reason: '' };
}

const inFolder = (host: Host, workingFolder: string): Host => ({
  ...host,
  run: (command, options) => host.run({ ...command, workingFolder }, options),
});
