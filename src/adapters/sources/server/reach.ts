import type { Secret } from '../../../domain/secret.ts';
import type { Command, Host } from '../../../ports/host.ts';
import type { SourceTools } from '../../../ports/source.ts';
import type { ServerSettings } from './config.ts';

/** A server, and where its tools run. */
export interface Reached {
  /** The service's host, or the container. */
  readonly host: Host;
  /** Null where none is configured. It goes to a tool by its environment or its stdin, never by its arguments. */
  readonly password: Secret | null;
  /** A tool under the configured account. */
  command(program: string, args: readonly string[], environment?: Command['environment']): Command;
}

/** Opens the container and reads the password. Nothing is asked of the server yet.
 *  @throws SecretMissing; ToolMissing without a container engine */
export async function reachServer(
  source: string,
  { container, password, runAs }: ServerSettings,
  host: Host,
  tools: SourceTools,
): Promise<Reached> {
  const account = runAs === undefined ? {} : { runAs };
  return {
    host: container === undefined ? host : await tools.container(container),
    password: password === undefined ? null : await tools.secret(password, `password of source ${source}`),
    command: (program, args, environment = {}) => ({ program, args, environment, ...account }),
  };
}
