"""How much a load needs: processes, cores, memory, disk and network of each part."""
