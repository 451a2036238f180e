namespace TensorCompress.Kernels;

/// <summary>Rows, tokens or registers of a tile, a constant to the compiler: sums that a tile does not have vanish.</summary>
internal interface ITileSize
{
    static abstract int Count { get; }
}

internal readonly struct TileOfOne : ITileSize
{
    public static int Count => 1;
}

internal readonly struct TileOfTwo : ITileSize
{
    public static int Count => 2;
}

internal readonly struct TileOfThree : ITileSize
{
    public static int Count => 3;
}

internal readonly struct TileOfFour : ITileSize
{
    public static int Count => 4;
}

internal readonly struct TileOfFive : ITileSize
{
    public static int Count => 5;
}

/// <summary>Two registers wide it has twelve sums: what sixteen registers hold.</summary>
internal readonly struct TileOfSix : ITileSize
{
    public static int Count => 6;
}

/// <summary>Two registers wide it has twenty-eight sums: what thirty-two registers hold.</summary>
internal readonly struct TileOfFourteen : ITileSize
{
    public static int Count => 14;
}
