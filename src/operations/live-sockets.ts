import type { ServiceDefinition } from '../domain/definitions.ts';
import type { Context } from './context.ts';

/** Where live servers listen, as the configuration has it: sockets, or folders of them. */
export const liveSockets = (services: Context['services']): readonly string[] =>
  [...services.values()].flatMap(socketsOf);

/** Sources name a socket, or its folder, as `socket`. */
const socketsOf = ({ sources }: ServiceDefinition): readonly string[] =>
  sources.flatMap(({ kind, settings }) => {
    const { socket } = Object((settings as Readonly<Record<string, unknown>>)[kind]) as { readonly socket?: unknown };
    return typeof socket === 'string' ? [socket] : [];
  });
