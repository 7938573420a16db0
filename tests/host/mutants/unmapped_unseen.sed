# maps.c: munmap is not looked at
/^int f4p_maps_unmap/,/^}/s/^    forget_range(at, bytes, frame);//
