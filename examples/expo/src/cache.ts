/** The app's one cache: opened once, closed when the app's tree goes. */
import { useEffect, useState } from 'react';
import { FinalmileError, IpfsCache } from 'react-native-finalmile';

import { switchable } from './offline';
import { service } from './service';

/** What the phone may keep, in mebibytes. */
const LIMIT_MIB = 512;

/** The cache, `null` while it is being opened; or why it could not be. */
export function useOpenedCache(): { cache: IpfsCache | null; error: FinalmileError | null } {
  const [cache, setCache] = useState<IpfsCache | null>(null);
  const [error, setError] = useState<FinalmileError | null>(null);
  useEffect(() => {
    let gone = false;
    const opening = open();
    opening.then(
      (opened) => {
        if (!gone) {
          setCache(opened);
        }
      },
      (thrown: unknown) => {
        if (!gone && thrown instanceof FinalmileError) {
          setError(thrown);
        }
      },
    );
    return () => {
      gone = true;
      setCache(null);
      opening.then((opened) => opened.close()).catch(() => {});
    };
  }, []);
  return { cache, error };
}

function open(): Promise<IpfsCache> {
  return IpfsCache.open({
    gateways: service.gateways,
    network: switchable(service.network()),
    limitMib: LIMIT_MIB,
  });
}
