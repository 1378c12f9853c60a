/** Renders under StrictMode, as careful apps do, with a cache. */
import { act, StrictMode, type ReactElement, type ReactNode } from 'react';
import { create, type ReactTestRenderer } from 'react-test-renderer';

import { FinalmileProvider, type IpfsCache } from '../../src/index';
import { settled } from './wait';

(globalThis as Record<string, unknown>)['IS_REACT_ACT_ENVIRONMENT'] = true;

/** What a hook answered, render by render. */
export interface Rendered<Props, T> {
  readonly all: T[];
  readonly last: T;
  rerender(props: Props): Promise<void>;
  unmount(): Promise<void>;
}

export function inside(cache: IpfsCache | null, children: ReactNode): ReactElement {
  return (
    <StrictMode>
      <FinalmileProvider cache={cache}>{children}</FinalmileProvider>
    </StrictMode>
  );
}

/** Runs `change` and lets what follows of it arrive. */
export async function acted(change: () => void): Promise<void> {
  await act(async () => {
    change();
    await settled();
  });
}

export async function renderHook<Props, T>(
  cache: () => IpfsCache | null,
  use: (props: Props) => T,
  props: Props,
): Promise<Rendered<Props, T>> {
  const all: T[] = [];
  function Probe({ given }: { given: Props }): null {
    all.push(use(given));
    return null;
  }
  let tree!: ReactTestRenderer;
  const element = (given: Props): ReactElement => inside(cache(), <Probe given={given} />);
  await act(async () => {
    tree = create(element(props));
  });
  return {
    all,
    get last() {
      return all[all.length - 1]!;
    },
    rerender: (given) => acted(() => tree.update(element(given))),
    unmount: async () => {
      await acted(() => tree.unmount());
      // What is given up is given up in the next turn.
      await settled();
    },
  };
}
