import type { Context } from './context.ts';

/** Where live servers listen, as the configuration has it: sockets, or folders of them. */
export const liveSockets = (services: Context['services']): readonly string[] =>
  [...services.values()].flatMap(({ sources }) =>
    sources.flatMap(({ kind, settings }) => {
      // sources name a socket, or its folder, as `socket`
      const { socket } = Object(settingOf(kind, settings)) as { readonly socket?: unknown };
      return typeof socket === 'string' ? [socket] : [];
    }),
  );

/** What stands under the kind's own name. */
export const settingOf = (kind: string, settings: unknown): unknown =>
  (settings as Readonly<Record<string, unknown>>)[kind];
