/** The prefetch of the guide, word for word. */
import { Image } from 'react-native';

// Prefetch only next 3 thumbnails
const prefetchNext = (currentIndex: number, items: MediaShare[]) => {
  const nextItems = items.slice(currentIndex + 1, currentIndex + 4);
  nextItems.forEach(item => {
    if (item.thumbnail_cid) {
      Image.prefetch(`${PINATA_GATEWAY}/${item.thumbnail_cid}`);
    }
  });
};
