namespace TensorCompress.Numerics;

/// <summary>Which points the clusters begin with.</summary>
internal enum KMeansStart
{
    /// <summary>Different points, each equally likely.</summary>
    RandomPoints,

    /// <summary>k-means++ (Arthur and Vassilvitskii 2007): each next point with a probability that is its weighted squared distance to those before.</summary>
    PlusPlus,
}

/// <summary>Options of <see cref="KMeans"/>.</summary>
/// <param name="Clusters">Clusters, at least 1 and at most the number of points that have weight.</param>
/// <param name="Start">Where they begin.</param>
/// <param name="Iterations">Steps of Lloyd at most; they end earlier where nothing moves.</param>
internal sealed record KMeansOptions(int Clusters, KMeansStart Start = KMeansStart.PlusPlus, int Iterations = 20);
