/** Fetching ahead in a list: what follows the last item that is seen. */
import { useEffect, useRef } from 'react';

import { useIpfsCache } from './provider';

/** What a `FlatList` tells of what is seen. */
export interface ViewableItems {
  viewableItems: readonly { index: number | null; isViewable?: boolean }[];
}

/** Props for a `FlatList`. They are the same objects for the component's whole life, as the list demands. */
export interface FeedPrefetch {
  onViewableItemsChanged: (seen: ViewableItems) => void;
  viewabilityConfig: { itemVisiblePercentThreshold: number; minimumViewTime: number };
}

/** Fetches the thumbnails of the `count` items ahead; three unless said. */
export function useFeedPrefetch<Item>(
  items: readonly Item[] | null | undefined,
  cidOf: (item: Item) => string | null | undefined,
  count = 3,
): FeedPrefetch {
  const cache = useIpfsCache();
  const latest = useRef({ cache, items, cidOf, count });
  useEffect(() => {
    latest.current = { cache, items, cidOf, count };
  });
  const props = useRef<FeedPrefetch>(null);
  props.current ??= {
    onViewableItemsChanged: ({ viewableItems }) => {
      const now = latest.current;
      const last = Math.max(...viewableItems.map(({ index }) => index ?? -1), -1);
      if (now.cache !== null && last >= 0) {
        // What cannot be fetched ahead is fetched, or fails, when it is shown.
        void now.cache.prefetchNext(last, now.items ?? [], now.cidOf, now.count).catch(() => {});
      }
    },
    // A list that is flung past is not fetched.
    viewabilityConfig: { itemVisiblePercentThreshold: 10, minimumViewTime: 100 },
  };
  return props.current;
}
