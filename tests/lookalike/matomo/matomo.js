/* tracker of the look-alike */
