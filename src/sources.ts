import { SOURCES } from './adapters/registry.ts';
import type { Definitions } from './config/definitions.ts';
import { type SecretReader, secretReader } from './config/secret.ts';
import { hostInContainer, type OpenHost } from './hosts.ts';
import { notBuilt } from './not-built.ts';
import type { Context } from './operations/context.ts';
import type { Progress } from './ports/progress.ts';
import type { SourceTools } from './ports/source.ts';
import { engineEnvironment } from './process/container-engine.ts';

/** What a program that prints a secret may take, in milliseconds. */
const SECRET_LIMIT_MS = 30_000;

/** Reads secrets, each once. Programs that print one run on this machine. */
export const secretsBy = (host: OpenHost, progress: Progress, signal: AbortSignal): SecretReader =>
  secretReader({
    environment: process.env,
    run: async ([program = '', ...args]) => {
      // as `docker exec` in one, where a password stands in a container
      const environment = engineEnvironment(process.env);
      const local = await host('local');
      return (await local.run({ program, args, environment }, { signal, limitMs: SECRET_LIMIT_MS })).stdout;
    },
    warn: (text) => progress({ type: 'warning', subject: 'secrets', text }),
  });

/** Opens the sources that services declare. */
export function sourceOpener(
  { services }: Pick<Definitions, 'services'>,
  host: OpenHost,
  secret: SecretReader,
): Context['source'] {
  const declaredOn = (where: string) =>
    [...services.values()].flatMap((service) => (service.host === where ? service.sources : []));
  return async (service, { name, kind, settings }) => {
    const row = SOURCES.get(kind);
    if (row === undefined) throw notBuilt(`sources of kind ${kind}`, `${service.name}.${name}`);
    const tools: SourceTools = {
      secret,
      container: async (container) => {
        if (service.host !== 'local') throw notBuilt('containers on another host', `${service.name}.${name}`);
        return await host(hostInContainer(container));
      },
      kin: declaredOn(service.host).flatMap((one) => (one.kind === kind ? [one.settings] : [])),
      engineEnvironment: engineEnvironment(process.env),
    };
    return (await row.load()).source(name, settings, await host(service.host), tools);
  };
}

/** How items of a kind look. @throws Unsupported for a kind that is not built */
export const openFormat: Context['format'] = async (kind) => {
  const row = SOURCES.get(kind);
  if (row === undefined) throw notBuilt(`items of kind ${kind}`, kind);
  return (await row.load()).format;
};
