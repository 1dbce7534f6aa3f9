import { HoldfastError } from '../domain/errors.ts';
import type { Host } from '../ports/host.ts';

/** Variables by which a client finds its engine, as DOCKER_HOST; empty for most. */
export type EngineEnvironment = Readonly<Record<string, string>>;

/** What docker(1) and podman(1) are told by their caller about where the engine is. */
export const engineEnvironment = (all: NodeJS.ProcessEnv): EngineEnvironment =>
  Object.fromEntries(
    Object.entries(all).flatMap(([name, value]) =>
      /^(DOCKER_(HOST|CONTEXT|CONFIG|TLS_VERIFY|CERT_PATH|API_VERSION)|CONTAINER_HOST|XDG_RUNTIME_DIR)$/.test(name) &&
      value
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

export const saysNoEngine = (stderr: string): boolean => /cannot connect to|is the docker daemon running/i.test(stderr);

export function engineAway(program: string, stderr: string): HoldfastError {
  const words = `${program} does not reach its engine: ${stderr.trim().split('\n')[0]}`;
  const hint = 'Start it (systemctl start docker), or look at DOCKER_HOST and at the rights of this account';
  return new HoldfastError('ProcessFailed', words, program, { hint });
}
