/** The feed of the guide, word for word. */
import { FlatList, Image } from 'react-native';
import { supabase } from '@/lib/supabase';

// Use media_shares_feed view for automatic thumbnail fallback
const { data: shares } = await supabase
  .from('media_shares_feed')
  .select('*')
  .order('created_at', { ascending: false })
  .range(0, 19); // Pagination: 20 items

// Render with thumbnail
<FlatList
  data={shares}
  renderItem={({ item }) => (
    <Image
      source={{ uri: `${PINATA_GATEWAY}/${item.display_cid}` }}
      style={{ width: 300, height: 300 }}
    />
  )}
  onEndReached={loadMore}
/>
