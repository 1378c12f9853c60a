/**
 * The library's functions as properties of a plain object.
 *
 * The generated code asks `globalThis.NativeFinalmile` for a function some twenty times in a call. That is
 * a host object, which looks the name up in C++ and makes a new reference each time; an engine remembers
 * where a plain object keeps its properties.
 *
 * # Promises
 *
 * - **J38** A call finds the library's functions without asking C++ for them.
 */

/** Puts a plain object with the same functions in the host object's place. Once; more often does nothing. */
export function hoist(of: { NativeFinalmile?: object } = globalThis as { NativeFinalmile?: object }): void {
  const host = of.NativeFinalmile as Record<string, unknown> | undefined;
  if (host === undefined || 'hoisted' in host) return;
  const plain: Record<string, unknown> = {};
  for (const name in host) plain[name] = host[name];
  // An engine that does not name a host object's properties keeps the slower one.
  if (Object.keys(plain).length === 0) return;
  // The functions point into it: it must not be collected before them.
  Object.defineProperty(plain, 'hoisted', { value: host });
  of.NativeFinalmile = plain;
}
