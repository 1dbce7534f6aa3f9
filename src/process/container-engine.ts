import { readFileSync, statSync } from 'node:fs';
import { HoldfastError } from '../domain/errors.ts';
import type { Host } from '../ports/host.ts';

/** Variables by which a client finds its engine, as DOCKER_HOST; empty for most. */
export type EngineEnvironment = Readonly<Record<string, string>>;

/** What docker(1) and podman(1) are told by their caller about where the engine is. */
export const engineEnvironment = (all: NodeJS.ProcessEnv): EngineEnvironment =>
  Object.fromEntries(
    Object.entries(all).flatMap(([name, value]) =>
      /^(DOCKER_(HOST|CONTEXT|CONFIG|TLS_VERIFY|CERT_PATH|API_VERSION)|CONTAINER_HOST|CONTAINERS_(STORAGE_)?CONF|XDG_RUNTIME_DIR)$/.test(
        name,
      ) && value
        ? [[name, value] as const]
        : [],
    ),
  );

/** The client of a host's container engine: docker, else podman, which takes the same words.
 *  @throws ToolMissing when there is neither */
export async function engineProgram(host: Host, signal: AbortSignal): Promise<'docker' | 'podman'> {
  for (const program of ['docker', 'podman'] as const) {
    try {
      await host.version(program, signal);
      return program;
    } catch (error) {
      if (!(error instanceof HoldfastError && error.code === 'ToolMissing')) throw error;
    }
  }
  throw new HoldfastError('ToolMissing', `Neither docker nor podman is installed on host ${host.name}.`, 'docker');
}

/** The client ends with 1 or 125 whatever went wrong; only its words tell an absent container from a dead engine. */
export const saysNoContainer = (stderr: string): boolean =>
  /no such (container|object)|no container with/i.test(stderr);

const saysNoEngine = (stderr: string): boolean =>
  /cannot connect to|is the docker daemon running|error during connect|unable to resolve docker endpoint/i.test(stderr);
const saysNoPermission = (stderr: string): boolean =>
  /permission denied/i.test(stderr) && /daemon socket|docker api|\.sock\b/i.test(stderr);

/** What keeps a client from its engine, in the words of a person; null when its words are about something else. */
export function engineProblem(program: string, stderr: string): HoldfastError | null {
  if (saysNoPermission(stderr)) return notPermitted(program, stderr);
  return saysNoEngine(stderr) ? engineAway(program, stderr) : null;
}

function engineAway(program: string, stderr: string): HoldfastError {
  const words = `${program} does not reach its engine: ${stderr.trim().split('\n')[0]}`;
  const hint =
    'Start it (systemctl start docker), or look at DOCKER_HOST, DOCKER_CONTEXT and at the rights of this account';
  return new HoldfastError('ProcessFailed', words, program, { hint });
}

/** Says which group may use the socket: being added to it is what helps. */
function notPermitted(program: string, stderr: string): HoldfastError {
  const socket = /(?:unix:\/\/)?(\/[^\s:"']+\.sock)\b/.exec(stderr)?.[1] ?? '/var/run/docker.sock';
  const group = groupOf(socket);
  const owned = group === null ? '' : `: it belongs to the group ${group}`;
  const words = `This account may not use the socket of ${program}, ${socket}${owned}.`;
  const add = `Add this account to the group ${group ?? 'docker'} (usermod -aG ${group ?? 'docker'} NAME) and log in again`;
  const hint = group === 'root' ? 'Run Holdfast as root' : `${add}, or run Holdfast as root`;
  return new HoldfastError('ProcessFailed', words, socket, { hint });
}

/** group(5). A group without a name is its number; null where the socket cannot be looked at. */
function groupOf(socket: string): string | null {
  try {
    const { gid } = statSync(socket);
    const rows = readFileSync('/etc/group', 'utf8').split('\n');
    return rows.map((row) => row.split(':')).find(([, , number]) => number === `${gid}`)?.[0] ?? `${gid}`;
  } catch {
    return null;
  }
}
