import { parse } from 'yaml';
import type { Needs } from '../../../domain/start-order.ts';

interface ServiceText {
  /** A list of names, or conditions by name. */
  readonly depends_on?: readonly string[] | Readonly<Record<string, unknown>>;
  readonly links?: readonly string[];
  readonly volumes_from?: readonly string[];
  readonly network_mode?: string;
  readonly pid?: string;
  readonly ipc?: string;
  readonly image?: string;
}

/** Compose specification: `depends_on`, and what shares something with the container of another service. */
function needsOf({ depends_on = [], links = [], volumes_from = [], ...shared }: ServiceText): readonly string[] {
  const declared = Array.isArray(depends_on) ? (depends_on as readonly string[]) : Object.keys(depends_on);
  const beforeColon = [...links, ...volumes_from].map((text) => text.split(':')[0] ?? '');
  const namespaces = [shared.network_mode, shared.pid, shared.ipc].flatMap(
    (text) => /^service:(.+)$/.exec(text ?? '')?.[1] ?? [],
  );
  return [...declared, ...beforeColon, ...namespaces];
}

/** What a service of a compose file waits for before it is started. @param text what `compose config` prints */
export function parseNeeds(text: string): Needs {
  const { services = {} }: { readonly services?: Readonly<Record<string, ServiceText>> } = parse(text) ?? {};
  return new Map(Object.entries(services).map(([name, service]) => [name, new Set(needsOf(service))]));
}

/** The images that services name. @param text what `compose config` prints */
export function imagesIn(text: string): ReadonlyMap<string, string> {
  const { services = {} }: { readonly services?: Readonly<Record<string, ServiceText>> } = parse(text) ?? {};
  return new Map(Object.entries(services).flatMap(([name, { image }]) => (image === undefined ? [] : [[name, image]])));
}
