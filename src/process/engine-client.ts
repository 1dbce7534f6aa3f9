import { HoldfastError } from '../domain/errors.ts';
import type { Command, Finished, Host, RunOptions } from '../ports/host.ts';
import { type EngineEnvironment, engineProblem, engineProgram } from './container-engine.ts';

/** How long the engine may take to answer a question, in milliseconds. */
const LIMIT_MS = 60_000;

/** The client of a host's container engine. */
export interface EngineClient {
  /** @throws ToolMissing when there is neither docker nor podman */
  program(signal: AbortSignal): Promise<'docker' | 'podman'>;
  /** A call of it, to be run or read by the host. @throws ToolMissing */
  command(argv: readonly string[], signal: AbortSignal): Promise<Command>;
  /** Runs it to its end. What 0 and 1 mean is the caller's to say.
   *  @throws ProcessFailed for an engine that does not answer or may not be used, and for any other code; ToolMissing */
  ask(
    argv: readonly string[],
    signal: AbortSignal,
    options?: Pick<RunOptions, 'input' | 'limitMs'>,
  ): Promise<Finished & { readonly stdout: string }>;
}

export function engineClient(host: Host, environment: EngineEnvironment): EngineClient {
  let chosen: 'docker' | 'podman' | null = null;
  async function program(signal: AbortSignal): Promise<'docker' | 'podman'> {
    signal.throwIfAborted();
    chosen ??= await engineProgram(host, signal);
    return chosen;
  }
  const command = async (argv: readonly string[], signal: AbortSignal): Promise<Command> => ({
    program: await program(signal),
    args: argv,
    environment,
  });
  return {
    program,
    command,
    async ask(argv, signal, options = {}) {
      const accept = [0, 1, 125];
      const ended = await host.run(await command(argv, signal), { signal, limitMs: LIMIT_MS, accept, ...options });
      const problem = ended.exitCode === 0 ? null : engineProblem(ended.program, ended.stderrTail);
      if (problem !== null) throw problem;
      return ended;
    },
  };
}

/** What an engine refused, with its own words. */
export const engineRefused = (what: string, subject: string, { stderrTail }: Finished): HoldfastError =>
  new HoldfastError('ProcessFailed', `${what}: ${stderrTail.trim()}`, subject, {
    hint: 'Look at the engine: docker info, journalctl -u docker',
  });
