/** The cache that hooks and components use. */
import { createContext, useContext, type ReactElement, type ReactNode } from 'react';

import type { IpfsCache } from '../cache';
import { FinalmileError } from '../errors';

const Context = createContext<IpfsCache | null | undefined>(undefined);

/** What the provider is given. */
export interface FinalmileProviderProps {
  /** The app's cache; `null` while it is being opened, when everything below is `loading`. */
  cache: IpfsCache | null;
  children?: ReactNode;
}

/** Lends a cache to everything below it. It is not closed here: who opened it closes it. */
export function FinalmileProvider({ cache, children }: FinalmileProviderProps): ReactElement {
  return <Context.Provider value={cache}>{children}</Context.Provider>;
}

/**
 * The cache of the nearest {@link FinalmileProvider}; `null` while it is being opened.
 *
 * @throws `PROVIDER_MISSING`.
 */
export function useIpfsCache(): IpfsCache | null {
  const cache = useContext(Context);
  if (cache === undefined) {
    throw new FinalmileError('PROVIDER_MISSING', 'Wrap the app in <FinalmileProvider cache={cache}>');
  }
  return cache;
}
