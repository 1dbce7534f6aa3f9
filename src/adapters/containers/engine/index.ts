import { existsSync, readFileSync } from 'node:fs';
import { HoldfastError } from '../../../domain/errors.ts';
import type { Containers } from '../../../ports/containers.ts';
import type { Command, Host } from '../../../ports/host.ts';
import { type EngineEnvironment, saysNoContainer } from '../../../process/container-engine.ts';
import { engineClient, engineRefused } from '../../../process/engine-client.ts';
import * as args from './args.ts';
import { ownContainer, parseContainers } from './parse.ts';

/** Where engines of this machine listen when nobody says otherwise. */
const SOCKETS = ['/var/run/docker.sock', '/run/podman/podman.sock'];

/** The containers of the host's engine, docker's or podman's. */
export function engineContainers(host: Host, environment: EngineEnvironment): Containers {
  const engine = engineClient(host, environment);
  const own = (): ReadonlySet<string> => ownContainer(textOf('/proc/self/mountinfo'), textOf('/proc/self/cgroup'));
  const told = ['DOCKER_HOST', 'DOCKER_CONTEXT', 'CONTAINER_HOST'].some((name) => environment[name] !== undefined);
  return {
    present: told || SOCKETS.some((path) => existsSync(path)),
    async list(signal) {
      const listed = await engine.ask(args.all, signal);
      if (listed.exitCode !== 0) throw engineRefused('The containers could not be listed', 'docker', listed);
      const ids = listed.stdout.split('\n').filter((id) => id !== '');
      if (ids.length === 0) return [];
      const inspected = await engine.ask(args.inspect(ids), signal);
      if (inspected.exitCode !== 0 && !saysNoContainer(inspected.stderrTail))
        // one of them may have gone meanwhile
        throw engineRefused('The containers could not be looked at', 'docker', inspected);
      return parseContainers(inspected.stdout, own());
    },
    async execute({ container, argv, purpose, user, onLine }, signal) {
      const command = await engine.command(args.execute(container, argv, user), signal);
      let tail = '';
      const take = (text: string): void => {
        const line = text.replace(/\r$/, ''); // so the client ends its own words
        tail = line;
        onLine(line);
      };
      const accept = Array.from({ length: 256 }, (_, code) => code);
      const ended = await host.run(command, { signal, accept, onStderr: take });
      for (const line of ended.stdout.split('\n').filter((text) => text !== '')) take(line);
      if (ended.exitCode === 0) return;
      const how = ended.exitCode === null ? `was ended by ${ended.signal}` : `ended with ${ended.exitCode}`;
      const said = tail === '' ? '.' : `: ${tail}`;
      const words = `The ${purpose} command of container ${container}, ${argv[0]}, ${how}${said}`;
      throw new HoldfastError('ProcessFailed', words, container, { hint: `Try it by hand: ${byHand(command)}` });
    },
  };
}

/** A call as a shell takes it. */
const byHand = ({ program, args = [] }: Command): string =>
  [program, ...args]
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
    .join(' ');

const textOf = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // no Linux, or nothing is told: it runs in none
  }
};
